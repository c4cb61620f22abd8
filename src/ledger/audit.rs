//! Acts that change something, by people or by the gateway: one entry each, in the transaction of the change.

use serde_json::{Value, json};

use super::{append::append, approval, error::LedgerError, facts::OperatorFacts};
use crate::{
    domain::{Actor, ids::EntryId, words::words},
    store::{Env, NewEnd, Tx},
};

words! {
    /// What was done. Entries hold these words permanently: a word may be added and is never changed.
    Action: "action" {
        /// Answers that banks have were lost with a part of the history.
        AnswersLost = "answers_lost",
        /// The store was restored from an archive.
        BackupRestored = "backup_restored",
        /// A copy of the whole store was begun.
        BackupTaken = "backup_taken",
        /// Our own certification authority was created.
        AuthorityMade = "authority_made",
        /// A partner authority's certificates are accepted from now on.
        AuthorityTrusted = "authority_trusted",
        /// A partner authority's certificates are refused from now on.
        AuthorityDistrusted = "authority_distrusted",
        /// Our authority issued a certificate.
        CertificateIssued = "certificate_issued",
        /// A certificate of another authority is refused from now on.
        CertificateRefused = "certificate_refused",
        /// A certificate of our authority was revoked.
        CertificateRevoked = "certificate_revoked",
        /// The newest checkpoint in the database was accepted as the first one known outside.
        CheckpointAccepted = "checkpoint_accepted",
        /// A bank, department, auditor or platform was registered.
        ClientRegistered = "client_registered",
        /// A client's keys, or whether it signs requests, changed.
        ClientSigningChanged = "client_signing_changed",
        /// A client was suspended.
        ClientSuspended = "client_suspended",
        /// A suspended client may call again.
        ClientResumed = "client_resumed",
        /// The clock was accepted as right, whatever the store had seen before.
        ClockAccepted = "clock_accepted",
        /// The fact of a document was taken back: it does not count from now on.
        FactVoided = "fact_voided",
        /// A fact that was taken back counts again.
        FactRestored = "fact_restored",
        /// A published assessment was corrected.
        GradeCorrected = "grade_corrected",
        /// A signed package of a round was written for a receiver.
        GradesExported = "grades_exported",
        /// A history that was turned back was recovered: the log continues in a new epoch.
        HistoryRecovered = "history_recovered",
        /// An import became visible.
        ImportAccepted = "import_accepted",
        /// A key was created.
        KeyMade = "key_made",
        /// A published key signs from now on, and its predecessor no more.
        KeyActivated = "key_activated",
        /// A key was revoked.
        KeyRevoked = "key_revoked",
        /// Private keys were sealed again under the first key-encryption key.
        KeysResealed = "keys_resealed",
        /// The secrets of operators' one-time codes were sealed again under the first key-encryption key.
        OperatorsResealed = "operators_resealed",
        /// Personal parts of subjects were sealed again under the first key-encryption key.
        SubjectsResealed = "subjects_resealed",
        /// An objection to a result was decided: its subject's grade is read again.
        ObjectionDecided = "objection_decided",
        /// A subject objected to its result: its grade is withheld.
        ObjectionOpened = "objection_opened",
        /// An account of an operator was created, with a link to enrol.
        OperatorCreated = "operator_created",
        /// An operator chose a password and proved its one-time codes.
        OperatorEnrolled = "operator_enrolled",
        /// An operator lost its password, codes and sessions, and has a new link to enrol.
        OperatorReset = "operator_reset",
        /// A suspended operator may sign in again.
        OperatorResumed = "operator_resumed",
        /// The roles of an operator were replaced, and its sessions ended.
        OperatorRolesChanged = "operator_roles_changed",
        /// An operator signed in to the console.
        OperatorSignedIn = "operator_signed_in",
        /// An operator was suspended, and its sessions ended.
        OperatorSuspended = "operator_suspended",
        /// A session of the console was ended by its operator.
        SessionEnded = "session_ended",
        /// An operator's name is locked for a while, after attempts to sign in that failed.
        SignInLocked = "sign_in_locked",
        /// An operator did alone what needs two.
        BreakGlass = "break_glass",
        /// An operator proposed an act that another one has to approve.
        ProposalMade = "proposal_made",
        /// Another operator approved a proposal.
        ProposalApproved = "proposal_approved",
        /// An operator rejected a proposal.
        ProposalRejected = "proposal_rejected",
        /// An operator took its proposal back.
        ProposalWithdrawn = "proposal_withdrawn",
        /// What was approved was done.
        ProposalExecuted = "proposal_executed",
        /// A package for a platform was frozen: from now on it may leave.
        PackageMade = "package_made",
        /// A page that was given up is delivered again.
        PageRedriven = "page_redriven",
        /// Nothing is delivered to a platform from now on.
        PlatformPaused = "platform_paused",
        /// A platform gets its packages again.
        PlatformResumed = "platform_resumed",
        /// A platform reported what it decided about rows.
        ReceiptsReported = "receipts_reported",
        /// A row that a platform rejected is left as it is.
        RowWaived = "row_waived",
        /// A PostgreSQL role was granted what serving needs.
        RoleGranted = "role_granted",
        /// A trial run was created.
        RunMade = "run_made",
        /// A trial run was opened to objections.
        RunPreassessed = "run_preassessed",
        /// A run became the round in force.
        RunPublished = "run_published",
        /// A run was discarded before publication.
        RunDiscarded = "run_discarded",
        /// Migrations were applied.
        SchemaMigrated = "schema_migrated",
        /// An operator searched for subjects by their personal parts.
        SubjectSought = "subject_sought",
        /// An operator looked at a subject's file, its personal parts masked.
        SubjectViewed = "subject_viewed",
        /// An operator looked at a subject's personal parts.
        SubjectRevealed = "subject_revealed",
    }
}

impl Action {
    /// Whether it narrows or ends somebody's access, so that a database from before it must not be served from (I9).
    const fn ends_access(self) -> bool {
        matches!(
            self,
            Self::AuthorityDistrusted
                | Self::CertificateRefused
                | Self::CertificateRevoked
                | Self::ClientSigningChanged
                | Self::ClientSuspended
                | Self::KeyRevoked
                | Self::OperatorReset
                | Self::OperatorRolesChanged
                | Self::OperatorSuspended
        )
    }
}

/// The particulars of an act, and the reason for it.
#[derive(Debug, Clone)]
pub struct Change {
    /// The reason in the actor's words.
    pub reason: Option<String>,
    /// Further particulars, a JSON object.
    pub detail: Value,
}

impl Change {
    /// A change without particulars.
    pub fn none() -> Self {
        Self::of(json!({}))
    }

    /// A change with particulars, a JSON object.
    pub const fn of(detail: Value) -> Self {
        Self { reason: None, detail }
    }

    /// Adds the reason.
    #[must_use]
    pub fn because(mut self, reason: Option<&str>) -> Self {
        self.reason = reason.map(str::to_owned);
        self
    }
}

/// Appends the entry of an act in the caller's transaction: it is durable exactly when the change is. Returns its id. An act that was
/// approved executes its proposal in the same transaction, which is one entry more.
pub async fn audit(
    tx: &mut Tx,
    env: &Env,
    actor: &Actor,
    action: Action,
    target: Option<&str>,
    mut change: Change,
) -> Result<EntryId, LedgerError> {
    let Some(approval) = &env.approval else { return enter(tx, env, actor, action, target, change).await };
    if let Value::Object(members) = &mut change.detail {
        members.insert("proposal".into(), json!(approval.proposal()));
    }
    let first = approval::execute(tx, env, approval, actor).await?;
    let id = enter(tx, env, actor, action, target, change).await?;
    if first {
        let change = Change::of(json!({ "entry": id.to_string() }));
        enter(tx, env, actor, Action::ProposalExecuted, Some(approval.proposal()), change).await?;
    }
    Ok(id)
}

async fn enter(
    tx: &mut Tx,
    env: &Env,
    actor: &Actor,
    action: Action,
    target: Option<&str>,
    change: Change,
) -> Result<EntryId, LedgerError> {
    let mut detail = change.detail;
    let particulars = detail.to_string();
    // The channel goes into the detail, because the members of a version 1 entry are fixed.
    if let Value::Object(members) = &mut detail {
        members.insert("channel".into(), json!(actor.channel().as_str()));
    }
    let id = EntryId::new(&*env.clock, &*env.entropy);
    let facts = OperatorFacts {
        id,
        at: env.now(),
        action: action.as_str(),
        actor: actor.to_string(),
        detail,
        reason: change.reason,
        target: target.map(str::to_owned),
    };
    let (entry, opening) = facts.into_entry(&*env.entropy)?;
    append(tx, &entry, Some(&opening)).await?;
    if let Some(target) = target.filter(|_| action.ends_access()) {
        tx.end(NewEnd {
            id: id.to_string(),
            kind: action.to_string(),
            target: target.to_owned(),
            detail: particulars,
            actor: actor.to_string(),
            at: env.now(),
        });
    }
    Ok(id)
}
