//! Approvals: two operators, one execution, one entry a step.

use std::{sync::Arc, time::Duration};

use medcredit::{
    app::{ActDone, Acts},
    approvals::{ApprovalError, Approvals, NewProposal, Proposal, ProposalState, Proposed, Verdict},
    config::Config,
    domain::{Actor, Failure},
    ledger::{self, Action, Change, LedgerError},
    store::{Arg, Crypter, Env},
};
use serde_json::Value;

use crate::support::{TestStore, both_engines, operator};

both_engines! {
    an_act_is_done_by_two_operators_and_each_step_is_one_entry,
    one_operator_cannot_propose_and_approve,
    a_proposal_is_decided_once,
    of_two_deciders_at_the_same_time_one_decides,
    a_proposal_expires_before_it_is_decided_and_before_it_is_executed,
    of_two_executions_at_the_same_time_one_is_done,
    a_crash_between_approval_and_execution_leaves_it_approved,
    what_was_rejected_after_its_approval_is_not_done,
    several_changes_of_one_execution_are_one,
    an_approval_that_was_written_past_the_gateway_is_none,
    breaking_the_glass_is_recorded_before_the_act_and_counted,
    a_missing_or_unreadable_reason_is_refused,
}

/// How long proposals wait here.
const EXPIRY: Duration = Duration::from_secs(72 * 3600);

struct Office {
    store: TestStore,
    approvals: Approvals,
    config: Config,
    crypter: Arc<Crypter>,
    directory: tempfile::TempDir,
}

impl Office {
    fn new(store: TestStore) -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self {
            approvals: Approvals::open(store.env(), EXPIRY),
            config: Config::defaults(directory.path()).unwrap(),
            crypter: Arc::new(Crypter::from_bytes([&[7; 32]]).unwrap()),
            store,
            directory,
        }
    }

    async fn propose(&self, by: &str, proposed: &Proposed) -> Proposal {
        let new = NewProposal { actor: &operator(by), proposed, reason: "a new colleague" };
        self.approvals.propose(new).await.unwrap()
    }

    /// Proposes an act by wang, approved by lin.
    async fn approved(&self, proposed: &Proposed) -> String {
        let id = self.propose("wang", proposed).await.id;
        self.approvals.decide(&id, &operator("lin"), Verdict::Approve, None).await.unwrap();
        id
    }

    async fn execute(&self, id: &str, env: &Env, actor: &Actor) -> Result<ActDone, Failure> {
        assert!(self.directory.path().exists());
        let approved = self.approvals.take(id).await.map_err(Failure::from)?;
        let acts = Acts { config: &self.config, env, crypter: &self.crypter };
        acts.execute(actor, approved).await
    }

    async fn state(&self, id: &str) -> ProposalState {
        self.approvals.show(id).await.unwrap().state
    }

    /// The actions of all entries, with what they are about and the proposal that they name.
    async fn entries(&self) -> Vec<(String, String, Option<String>)> {
        let sql =
            "SELECT e.body, o.body FROM ledger_entries e JOIN ledger_openings o ON o.entry_id = e.id ORDER BY e.id";
        let rows: Vec<(String, String)> = self.store.db.read("test").fetch_all(sql, vec![]).await.unwrap();
        let text = |body: &str, pointer: &str| {
            let body: Value = serde_json::from_str(body).unwrap();
            body.pointer(pointer).and_then(Value::as_str).map(str::to_owned)
        };
        let read = |(entry, opening): (String, String)| {
            (
                text(&entry, "/facts/action").unwrap(),
                text(&opening, "/fields/target/value").unwrap_or_default(),
                text(&opening, "/fields/detail/value/proposal"),
            )
        };
        rows.into_iter().map(read).collect()
    }

    async fn count(&self, action: &str) -> usize {
        self.entries().await.iter().filter(|(found, ..)| found == action).count()
    }

    async fn sql(&self, sql: &'static str, args: Vec<Arg>) {
        let mut tx = self.store.db.begin("test").await.unwrap();
        assert_eq!(tx.execute(sql, args).await.unwrap(), 1);
        tx.commit().await.unwrap();
    }
}

fn new_operator(name: &str) -> Proposed {
    Proposed::CreateOperator { name: name.into(), roles: vec!["security".into()] }
}

/// Wang proposes, Lin approves, Wang executes.
async fn an_act_is_done_by_two_operators_and_each_step_is_one_entry(store: TestStore) {
    let office = Office::new(store);
    let made = office.propose("wang", &new_operator("zhao")).await;
    assert_eq!((made.state, made.proposed_by.as_str()), (ProposalState::Open, "operator:wang"));
    assert_eq!(made.proposed.difference(), "+ zhao is security\n");
    assert!(made.entry.is_some(), "the step names its entry");
    let waiting = office.approvals.list(false).await.unwrap();
    assert_eq!(waiting, [Proposal { entry: None, ..made.clone() }]);
    let refused = office.approvals.take(&made.id).await.unwrap_err();
    assert!(matches!(refused, ApprovalError::WrongState { state: ProposalState::Open, .. }));
    let decided = office.approvals.decide(&made.id, &operator("lin"), Verdict::Approve, Some("seen")).await.unwrap();
    assert_eq!((decided.state, decided.decided_by.as_deref()), (ProposalState::Approved, Some("operator:lin")));
    let done = office.execute(&made.id, &office.store.env(), &operator("wang")).await.unwrap();
    assert!(matches!(done, ActDone::OperatorCreated(_)));
    let shown = office.approvals.show(&made.id).await.unwrap();
    assert_eq!((shown.state, shown.executed_by.as_deref()), (ProposalState::Executed, Some("operator:wang")));
    assert!(office.approvals.list(false).await.unwrap().is_empty());
    let entries = office.entries().await;
    let mut actions: Vec<_> = entries.iter().map(|(action, ..)| action.as_str()).collect();
    actions.sort_unstable();
    assert_eq!(actions, ["operator_created", "proposal_approved", "proposal_executed", "proposal_made"]);
    for (action, target, proposal) in &entries {
        if action == "operator_created" {
            assert_eq!(proposal.as_deref(), Some(made.id.as_str()), "the act names what allowed it");
        } else {
            assert_eq!(target, &made.id, "{action}");
        }
    }
}

/// Wang, alone, under other spellings.
async fn one_operator_cannot_propose_and_approve(store: TestStore) {
    let office = Office::new(store);
    let id = office.propose("Wang Fang", &new_operator("zhao")).await.id;
    for name in ["Wang Fang", "wang fang", " WANG  FANG "] {
        let refused = office.approvals.decide(&id, &operator(name), Verdict::Approve, None).await.unwrap_err();
        assert!(matches!(refused, ApprovalError::SameOperator(_)), "{name}: {refused:?}");
    }
    let refused = office.approvals.decide(&id, &Actor::system(), Verdict::Approve, None).await.unwrap_err();
    assert!(matches!(refused, ApprovalError::NoOperator(_)));
    let refused = office.approvals.withdraw(&id, &operator("lin"), None).await.unwrap_err();
    assert!(matches!(refused, ApprovalError::NotYours(_)));
    assert_eq!(office.state(&id).await, ProposalState::Open);
    office.approvals.withdraw(&id, &operator("wang fang"), None).await.unwrap();
    assert_eq!(office.state(&id).await, ProposalState::Withdrawn);
    assert_eq!((office.count("proposal_withdrawn").await, office.entries().await.len()), (1, 2));
}

/// Lin approves what Zhao has rejected, and the other way round.
async fn a_proposal_is_decided_once(store: TestStore) {
    let office = Office::new(store);
    let (one, other) = (office.propose("wang", &new_operator("a")).await.id, office.approved(&new_operator("b")).await);
    office.approvals.decide(&one, &operator("zhao"), Verdict::Reject, Some("no")).await.unwrap();
    for (id, verdict) in [(&one, Verdict::Approve), (&one, Verdict::Reject), (&other, Verdict::Approve)] {
        let refused = office.approvals.decide(id, &operator("lin"), verdict, None).await.unwrap_err();
        assert!(matches!(refused, ApprovalError::WrongState { .. }), "{refused:?}");
    }
    let refused = office.approvals.decide("prp_none", &operator("lin"), Verdict::Approve, None).await.unwrap_err();
    assert!(matches!(refused, ApprovalError::NoSuchProposal(_)));
}

/// At two gateways.
async fn of_two_deciders_at_the_same_time_one_decides(store: TestStore) {
    let office = Office::new(store);
    let id = office.propose("wang", &new_operator("zhao")).await.id;
    let env = Env::new(office.store.reopen().await, office.store.clock.clone(), office.store.entropy.clone());
    let other = Approvals::open(env, EXPIRY);
    let (lin, zhao) = (operator("lin"), operator("zhao"));
    let (one, two) = tokio::join!(
        office.approvals.decide(&id, &lin, Verdict::Approve, None),
        other.decide(&id, &zhao, Verdict::Approve, None)
    );
    assert_eq!(usize::from(one.is_ok()) + usize::from(two.is_ok()), 1, "{one:?} {two:?}");
    assert_eq!(office.count("proposal_approved").await, 1);
}

/// Everybody is on holiday.
async fn a_proposal_expires_before_it_is_decided_and_before_it_is_executed(store: TestStore) {
    let office = Office::new(store);
    let open = office.propose("wang", &new_operator("a")).await.id;
    let approved = office.approved(&new_operator("b")).await;
    let evidence = office.approvals.take(&approved).await.unwrap();
    office.store.clock.advance(EXPIRY);
    assert_eq!(
        (office.state(&open).await, office.state(&approved).await),
        (ProposalState::Expired, ProposalState::Expired)
    );
    assert!(office.approvals.list(false).await.unwrap().is_empty());
    let late = office.approvals.decide(&open, &operator("lin"), Verdict::Approve, None).await.unwrap_err();
    assert!(matches!(late, ApprovalError::WrongState { state: ProposalState::Expired, .. }));
    assert!(office.approvals.take(&approved).await.is_err());
    // Also with evidence from before.
    let env = office.store.env();
    let acts = Acts { config: &office.config, env: &env, crypter: &office.crypter };
    assert_eq!(acts.execute(&operator("lin"), evidence).await.unwrap_err().code, "proposal_wrong_state");
    assert_eq!(office.count("operator_created").await, 0);
}

/// At two gateways, each of which has seen the approval.
async fn of_two_executions_at_the_same_time_one_is_done(store: TestStore) {
    let office = Office::new(store);
    let created = office.approved(&new_operator("zhao")).await;
    office.execute(&created, &office.store.env(), &operator("lin")).await.unwrap();
    let set = Proposed::SetRoles { name: "zhao".into(), before: vec!["security".into()], roles: vec!["audit".into()] };
    let id = office.approved(&set).await;
    let env = office.store.env();
    let other = Env::new(office.store.reopen().await, office.store.clock.clone(), office.store.entropy.clone());
    let actor = operator("lin");
    let (one, two) = tokio::join!(office.execute(&id, &env, &actor), office.execute(&id, &other, &actor));
    assert_eq!(usize::from(one.is_ok()) + usize::from(two.is_ok()), 1, "{one:?} {two:?}");
    assert_eq!((office.count("operator_roles_changed").await, office.count("proposal_executed").await), (1, 2));
    assert!(office.execute(&id, &env, &actor).await.is_err());
}

/// The gateway is killed when the change is recorded and not committed.
async fn a_crash_between_approval_and_execution_leaves_it_approved(store: TestStore) {
    let office = Office::new(store);
    let id = office.approved(&new_operator("zhao")).await;
    let (_, env) = office.approvals.take(&id).await.unwrap().begin(&office.store.env());
    let mut tx = env.db.begin("test").await.unwrap();
    ledger::audit(&mut tx, &env, &operator("lin"), Action::OperatorCreated, None, Change::none()).await.unwrap();
    drop(tx);
    assert_eq!(office.state(&id).await, ProposalState::Approved);
    assert_eq!(office.count("proposal_executed").await, 0);
    let again = Env::new(office.store.reopen().await, office.store.clock.clone(), office.store.entropy.clone());
    office.execute(&id, &again, &operator("lin")).await.unwrap();
    assert_eq!((office.state(&id).await, office.count("operator_created").await), (ProposalState::Executed, 1));
}

/// Stopping is one person's act, until the last moment.
async fn what_was_rejected_after_its_approval_is_not_done(store: TestStore) {
    let office = Office::new(store);
    let id = office.approved(&new_operator("zhao")).await;
    let evidence = office.approvals.take(&id).await.unwrap();
    office.approvals.decide(&id, &operator("chen"), Verdict::Reject, Some("stop")).await.unwrap();
    let env = office.store.env();
    let acts = Acts { config: &office.config, env: &env, crypter: &office.crypter };
    let refused = acts.execute(&operator("lin"), evidence).await.unwrap_err();
    assert_eq!(refused.code, "proposal_wrong_state");
    assert_eq!((office.count("operator_created").await, office.state(&id).await), (0, ProposalState::Rejected));
}

/// An act that changes rows in several transactions, such as pages that are delivered again.
async fn several_changes_of_one_execution_are_one(store: TestStore) {
    let office = Office::new(store);
    let id = office.approved(&Proposed::RedriveDead { platform: "p".into() }).await;
    let (_, env) = office.approvals.take(&id).await.unwrap().begin(&office.store.env());
    let (_, other) = office.approvals.take(&id).await.unwrap().begin(&office.store.env());
    let record = async |env: &Env| {
        let mut tx = env.db.begin("test").await.unwrap();
        ledger::audit(&mut tx, env, &operator("lin"), Action::PageRedriven, None, Change::none()).await?;
        tx.commit().await.unwrap();
        Ok::<(), LedgerError>(())
    };
    record(&env).await.unwrap();
    record(&env).await.unwrap();
    assert!(matches!(record(&other).await, Err(LedgerError::NotApproved(_))), "another execution changes nothing");
    assert_eq!((office.count("page_redriven").await, office.count("proposal_executed").await), (2, 1));
}

/// An administrator of the database who approves alone, or exchanges what was approved.
async fn an_approval_that_was_written_past_the_gateway_is_none(store: TestStore) {
    let office = Office::new(store);
    let id = office.propose("wang", &new_operator("zhao")).await.id;
    office.sql("UPDATE proposals SET state = 'approved', decided_by = 'operator:lin', decided_at = 1", vec![]).await;
    assert!(matches!(office.approvals.take(&id).await, Err(ApprovalError::NotRecorded { .. })));
    // With the entry of another approval.
    let other = office.approved(&new_operator("chen")).await;
    let sql = "UPDATE proposals SET decision_entry = (SELECT p.decision_entry FROM proposals p WHERE p.id = $2) WHERE id = $1";
    office.sql(sql, vec![Arg::from(&id), Arg::from(&other)]).await;
    assert!(matches!(office.approvals.take(&id).await, Err(ApprovalError::NotRecorded { .. })));
    // Another act, and another proposer, under an approval that was given.
    let sql = "UPDATE proposals SET proposed = REPLACE(proposed, 'chen', 'evil') WHERE id = $1";
    office.sql(sql, vec![Arg::from(&other)]).await;
    assert!(matches!(office.approvals.take(&other).await, Err(ApprovalError::NotRecorded { .. })));
    let third = office.approved(&new_operator("sun")).await;
    assert!(office.approvals.take(&third).await.is_ok());
    office.sql("UPDATE proposals SET proposed_by = 'operator:zhao' WHERE id = $1", vec![Arg::from(&third)]).await;
    assert!(matches!(office.approvals.take(&third).await, Err(ApprovalError::NotRecorded { .. })));
}

/// A key leaks at night.
async fn breaking_the_glass_is_recorded_before_the_act_and_counted(store: TestStore) {
    let office = Office::new(store);
    let proposed = Proposed::RotateKey { purpose: "token_signing".into() };
    let new = NewProposal { actor: &operator("wang"), proposed: &proposed, reason: "it leaked" };
    let made = office.approvals.break_glass(new).await.unwrap();
    assert_eq!((made.state, made.executed_by.as_deref()), (ProposalState::BrokenGlass, Some("operator:wang")));
    assert_eq!((office.count("break_glass").await, office.entries().await.len()), (1, 1));
    let day = Duration::from_secs(24 * 3600);
    let counts = office.approvals.counts(day).await.unwrap();
    assert_eq!((counts.open, counts.approved, counts.broken_glass), (0, 0, 1));
    for act in [Verdict::Approve, Verdict::Reject] {
        assert!(office.approvals.decide(&made.id, &operator("lin"), act, None).await.is_err());
    }
    office.propose("wang", &proposed).await;
    office.approved(&proposed).await;
    office.store.clock.advance(day);
    let counts = office.approvals.counts(day).await.unwrap();
    assert_eq!((counts.open, counts.approved, counts.broken_glass), (1, 1, 0));
}

/// The ledger keeps reasons for ever.
async fn a_missing_or_unreadable_reason_is_refused(store: TestStore) {
    let office = Office::new(store);
    let long = "x".repeat(501);
    for reason in ["", " ", "a\nb", long.as_str()] {
        let new = NewProposal { actor: &operator("wang"), proposed: &new_operator("zhao"), reason };
        assert!(matches!(office.approvals.propose(new).await, Err(ApprovalError::Reason(_))));
        assert!(matches!(office.approvals.break_glass(new).await, Err(ApprovalError::Reason(_))));
    }
    assert!(office.entries().await.is_empty());
}
