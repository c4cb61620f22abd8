//! Consents, their events, versions and counted answers are reconciled with the entries (I7): an attacker with the database
//! owner's credentials changes them, and `verify` reports each change.

use std::{sync::Arc, time::Duration};

use medcredit::{
    consent::{Amendment, Consent},
    domain::{Clock, Timestamp, ids::EntryId, permission::Permission},
    ledger::{
        ErasureFacts, ErasureGround, erase, log_keys, open_checkpoint,
        verify::{Report, StateCheck, Target, verify_after},
    },
    store::Arg,
};

use super::vandal::vandalise_store;
use crate::support::{
    TestStore,
    app::{Bank, OTHER_ENTITY, TestApp, signed_text},
    both_engines, decided_by,
};

/// A gateway whose bank has a consent in force, a revoked one, one that limits its use, and a request.
struct Scene {
    app: TestApp,
    bank: Bank,
    token: String,
    active: Consent,
    revoked: Consent,
    limited: Consent,
}

impl Scene {
    async fn of(store: TestStore) -> Self {
        let app = TestApp::start(store).await;
        let bank = app.bank("Bank A").await;
        let active = app.consent(&bank, |_| {}).await;
        let revoked = app.consent(&bank, |_| {}).await;
        let limited = app.consent(&bank, |new| (new.max_fetches, new.daily_budget) = (Some(4), Some(3))).await;
        app.pending(&bank, |_| {}).await;
        let scene = Self { token: bank.token().await, app, bank, active, revoked, limited };
        for consent in [&scene.active, &scene.active, &scene.revoked, &scene.limited, &scene.limited] {
            assert_eq!(scene.reads(consent).await, 200);
        }
        let wider = Amendment {
            data: Some(("2024-06".parse().unwrap(), "2026-03".parse().unwrap())),
            text: Some(signed_text("cd")),
            ..Amendment::default()
        };
        let consents = &scene.app.app.consents;
        consents.amend(&scene.active.id.to_string(), &wider, &decided_by("lin")).await.unwrap();
        consents.revoke(&scene.revoked.id.to_string(), None, &decided_by("lin")).await.unwrap();
        scene.seal().await;
        scene
    }

    async fn seal(&self) {
        while self.app.app.sealer.seal_once().await.unwrap().is_some() {}
    }

    async fn reads(&self, consent: &Consent) -> u16 {
        self.bank.get(&self.token, &Bank::data(consent, "grade")).await.status
    }

    async fn verify(&self) -> Report {
        self.verify_after(None).await
    }

    /// Verifies what was added after a checkpoint, or everything.
    async fn verify_after(&self, note: Option<&str>) -> Report {
        let app = &self.app.app;
        let origin = app.config.ledger.origin(&app.config.gateway.public_origin);
        let keys = log_keys(&app.keys.load().log);
        let target = Target { db: &app.env.db, origin: &origin, keys: &keys, checkpoint_file: None };
        let check = StateCheck { now: app.env.clock.now(), sealed_within: app.config.ledger.sealed_within() };
        let verified = note.map(|note| open_checkpoint(note, &origin, &keys).unwrap());
        verify_after(target, verified.as_ref(), Some(check), &|_, _| {}).await.unwrap()
    }

    /// Makes a change as the database's owner, checks that `verify` reports it, and undoes it.
    async fn vandal(&self, what: &str, how: &str, undo: &str, expected: &str) {
        let named = |text: &str| {
            text.replace("{active}", &format!("'{}'", self.active.id))
                .replace("{revoked}", &format!("'{}'", self.revoked.id))
                .replace("{limited}", &format!("'{}'", self.limited.id))
        };
        vandalise_store(&self.app.store, &named(how)).await;
        let report = self.verify().await;
        assert!(!report.sound(), "{what}");
        let (text, expected) = (report.to_string(), named(expected).replace('\'', ""));
        assert!(text.contains(&expected), "{what}: expected {expected:?} in\n{text}");
        vandalise_store(&self.app.store, &named(undo)).await;
        let report = self.verify().await;
        assert!(report.sound(), "after {what}: {report}");
    }
}

/// `(what, how, how to undo it, what verify says)`.
type Sabotage = (&'static str, &'static str, &'static str, &'static str);

const SABOTAGES: &[Sabotage] = &[
    (
        "a revoked consent made active",
        "UPDATE consents SET state = 'active', ended_at = NULL WHERE id = {revoked}",
        "UPDATE consents SET state = 'revoked', ended_at = 1 WHERE id = {revoked}",
        "consent {revoked}: it is active, and the ledger says revoked: the row was changed",
    ),
    (
        "a revoked consent turned back, and the event of its revocation deleted",
        "CREATE TABLE saved AS SELECT * FROM consent_events WHERE consent_id = {revoked} AND version = 3; \
         DELETE FROM consent_events WHERE consent_id = {revoked} AND version = 3; \
         UPDATE consents SET state = 'active', version = 2 WHERE id = {revoked}",
        "INSERT INTO consent_events SELECT * FROM saved; DROP TABLE saved; \
         UPDATE consents SET state = 'revoked', version = 3 WHERE id = {revoked}",
        "consent {revoked}: it is at version 2, and the ledger knows version 3 (revoked): it was turned back",
    ),
    (
        "a revoked consent made active by a version of its own",
        "UPDATE consents SET state = 'active', version = 4 WHERE id = {revoked}",
        "UPDATE consents SET state = 'revoked', version = 3 WHERE id = {revoked}",
        "consent {revoked}: it is at version 4, which no event and no entry explains",
    ),
    (
        "an invented resumption",
        "INSERT INTO consent_events (consent_id, version, event, actor, channel, changes, at) \
            VALUES ({revoked}, 4, 'resumed', 'operator:lin', 'command_line', '{}', 1); \
         UPDATE consents SET state = 'active', version = 4 WHERE id = {revoked}",
        "DELETE FROM consent_events WHERE consent_id = {revoked} AND version = 4; \
         UPDATE consents SET state = 'revoked', version = 3 WHERE id = {revoked}",
        "consent {revoked}: its event of version 4 (resumed) has no entry in the ledger",
    ),
    (
        "a consent that allows more",
        "CREATE TABLE saved AS SELECT id, permissions FROM consents; \
         UPDATE consents SET permissions = '[\"grade\",\"scorecard\",\"settlements\"]', max_fetches = 9 WHERE id = {active}",
        "UPDATE consents SET max_fetches = NULL, permissions = (SELECT s.permissions FROM saved s WHERE s.id = consents.id) \
            WHERE id = {active}; DROP TABLE saved",
        "consent {active}: it differs from the ledger in permissions, max_fetches: the row was changed",
    ),
    (
        "a longer validity",
        "UPDATE consents SET expires_at = expires_at + 1 WHERE id = {active}",
        "UPDATE consents SET expires_at = expires_at - 1 WHERE id = {active}",
        "consent {active}: it differs from the ledger in expires_at",
    ),
    (
        "a higher limit",
        "UPDATE consents SET max_fetches = 400 WHERE id = {limited}",
        "UPDATE consents SET max_fetches = 4 WHERE id = {limited}",
        "consent {limited}: it differs from the ledger in max_fetches",
    ),
    (
        "one more code",
        "INSERT INTO consent_codes (consent_id, subject_code) SELECT {active}, code FROM subjects \
            WHERE code NOT IN (SELECT subject_code FROM consent_codes WHERE consent_id = {active}) LIMIT 1",
        "DELETE FROM consent_codes WHERE consent_id = {active} \
            AND subject_code NOT IN (SELECT subject_code FROM consent_codes WHERE consent_id = {limited})",
        "consent {active}: its bank, entity or codes are not those of the ledger",
    ),
    (
        "an event deleted",
        "CREATE TABLE saved AS SELECT * FROM consent_events WHERE consent_id = {active} AND version = 3; \
         DELETE FROM consent_events WHERE consent_id = {active} AND version = 3",
        "INSERT INTO consent_events SELECT * FROM saved; DROP TABLE saved",
        "consent {active}: its event of version 3 (amended) was deleted",
    ),
    (
        "an event changed",
        "UPDATE consent_events SET actor = 'operator:chen' WHERE consent_id = {active} AND version = 3",
        "UPDATE consent_events SET actor = 'operator:lin' WHERE consent_id = {active} AND version = 3",
        "consent {active}: its event of version 3 (amended) is not what the ledger says: it was changed",
    ),
    (
        "a consent removed",
        "CREATE TABLE saved AS SELECT * FROM consents WHERE id = {revoked}; DELETE FROM consents WHERE id = {revoked}",
        "INSERT INTO consents SELECT * FROM saved; DROP TABLE saved",
        "consent {revoked}: the ledger knows it, and it was removed",
    ),
    (
        "a consent that nobody requested",
        "CREATE TABLE saved AS SELECT * FROM consents WHERE id = {active}; UPDATE saved SET id = 'con_invented'; \
         INSERT INTO consents SELECT * FROM saved; DROP TABLE saved",
        "DELETE FROM consents WHERE id = 'con_invented'",
        "consent con_invented: it is at version 3, which no event and no entry explains",
    ),
    (
        "a budget reset",
        "UPDATE consent_use SET used = 0 WHERE consent_id = {limited}",
        "UPDATE consent_use SET used = 2 WHERE consent_id = {limited}",
        "consent {limited}: 0 answers are counted, and the ledger has 2: the count was lowered",
    ),
    (
        "the budget of a day reset",
        "UPDATE consent_use SET used_today = 0 WHERE consent_id = {limited}",
        "UPDATE consent_use SET used_today = 2 WHERE consent_id = {limited}",
        "consent {limited}: 0 answers are counted for its last day, and the ledger has 2 on 2026-04-01",
    ),
    (
        "a count removed",
        "CREATE TABLE saved AS SELECT * FROM consent_use WHERE consent_id = {active}; \
         DELETE FROM consent_use WHERE consent_id = {active}",
        "INSERT INTO consent_use SELECT * FROM saved; DROP TABLE saved",
        "consent {active}: 0 answers are counted, and the ledger has 2: the count was lowered",
    ),
    (
        "a count raised",
        "UPDATE consent_use SET used = 4 WHERE consent_id = {limited}",
        "UPDATE consent_use SET used = 2 WHERE consent_id = {limited}",
        "consent {limited}: 4 answers are counted, and the ledger has 2: the count was raised",
    ),
];

both_engines! {
    a_state_that_the_entries_explain_verifies,
    every_change_of_the_state_is_found_and_reported,
    a_state_that_is_being_changed_verifies,
    what_was_erased_is_not_taken_for_a_manipulation,
    an_entry_that_is_not_sealed_as_promised_is_reported,
    a_later_verification_leaves_the_state_to_one_of_everything,
    a_refusal_that_says_something_of_a_subject_is_recorded_and_counted,
}

/// An auditor verifies: every consent and every counted answer has its entries, limited or not.
async fn a_state_that_the_entries_explain_verifies(store: TestStore) {
    let scene = Scene::of(store).await;
    let report = scene.verify().await;
    assert!(report.sound(), "{report}");
    assert_eq!((report.consents, report.answers), (4, 5), "{report}");
    assert!(report.to_string().contains("consents     4 compared with their entries, 5 answers counted"), "{report}");
}

/// A database administrator changes consents, events and counts: `verify` reports each.
async fn every_change_of_the_state_is_found_and_reported(store: TestStore) {
    let scene = Scene::of(store).await;
    for (what, how, undo, expected) in SABOTAGES {
        scene.vandal(what, how, undo, expected).await;
    }
}

/// An auditor verifies while a bank reads and an operator suspends and resumes: an untampered state verifies at any moment.
async fn a_state_that_is_being_changed_verifies(store: TestStore) {
    let scene = Arc::new(Scene::of(store).await);
    let busy = scene.clone();
    let changing = tokio::spawn(async move {
        let (id, operator) = (busy.active.id.to_string(), decided_by("lin"));
        for round in 0..30 {
            assert_eq!(busy.reads(&busy.active).await, 200);
            busy.app.app.consents.suspend(&id, &operator).await.unwrap();
            if round % 3 == 0 {
                busy.app.app.sealer.seal_once().await.unwrap();
            }
            busy.app.app.consents.resume(&id, &operator).await.unwrap();
        }
    });
    let mut rounds = 0;
    while !changing.is_finished() || rounds < 5 {
        let report = scene.verify().await;
        assert!(report.sound(), "{report}");
        rounds += 1;
    }
    changing.await.unwrap();
}

/// An operator erases the openings of an answer and of a revocation: what they said is not known any more.
async fn what_was_erased_is_not_taken_for_a_manipulation(store: TestStore) {
    let scene = Scene::of(store).await;
    let env = &scene.app.app.env;
    let args = vec![Arg::from(scene.revoked.id.to_string())];
    let sql = "SELECT entry_id FROM ledger_openings WHERE consent_id = $1 ORDER BY entry_id";
    let ids: Vec<(String,)> = env.db.read("test").fetch_all(sql, args).await.unwrap();
    assert_eq!(ids.len(), 4, "requested, granted, answered, revoked");
    let mut tx = env.db.begin("test").await.unwrap();
    let facts = ErasureFacts {
        id: EntryId::new(&*env.clock, &*env.entropy),
        at: env.clock.now(),
        entries: ids.into_iter().map(|(id,)| id).collect(),
        ground: ErasureGround::RetentionEnded,
        actor: "system".into(),
        reason: None,
    };
    erase(&mut tx, facts, &*env.entropy).await.unwrap();
    tx.commit().await.unwrap();
    scene.seal().await;
    let report = scene.verify().await;
    assert!(report.sound() && report.erased == 4, "{report}");
}

/// An auditor verifies while no gateway seals: an answer's receipt has promised a checkpoint.
async fn an_entry_that_is_not_sealed_as_promised_is_reported(store: TestStore) {
    let scene = Scene::of(store).await;
    assert_eq!(scene.reads(&scene.active).await, 200);
    let report = scene.verify().await;
    assert!(report.sound() && report.waiting == 1, "{report}");
    let promised = scene.app.app.config.ledger.sealed_within();
    scene.app.store.clock.advance(promised);
    assert!(scene.verify().await.sound(), "the promised time is not over yet");
    scene.app.store.clock.advance(Duration::from_micros(1));
    let report = scene.verify().await;
    assert!(!report.sound() && report.problem_count == 0 && report.overdue_count == 1, "{report}");
    let by: Timestamp = scene.app.store.clock.now();
    let text = report.to_string();
    assert!(
        text.contains("OVERDUE      entry dis_") && text.contains("its receipt promised a checkpoint by"),
        "{by}: {text}"
    );
    assert!(text.contains("1 entries are NOT sealed as promised"), "{text}");
    scene.seal().await;
    assert!(scene.verify().await.sound());
}

/// An auditor who verifies every day: a revoked consent that was made active again has no entry among those added since, so
/// only a verification of everything compares it, and a later one says that it does not. Overdue entries are found by both.
async fn a_later_verification_leaves_the_state_to_one_of_everything(store: TestStore) {
    let scene = Scene::of(store).await;
    let note = scene.verify().await.newest_checkpoint.unwrap();
    let set = |terms: &str| format!("UPDATE consents SET {terms} WHERE id = '{}'", scene.revoked.id);
    vandalise_store(&scene.app.store, &set("state = 'active', ended_at = NULL")).await;
    assert_eq!(scene.reads(&scene.active).await, 200);
    let later = scene.verify_after(Some(&note)).await;
    assert!(later.sound() && !later.state_was_compared && later.waiting == 1, "{later}");
    assert!(later.to_string().contains("consents     NOT compared"), "{later}");
    assert!(later.to_string().ends_with("what was added to the ledger is whole"), "{later}");
    assert!(!scene.verify().await.sound());
    scene.app.store.clock.advance(scene.app.app.config.ledger.sealed_within() + Duration::from_micros(1));
    let later = scene.verify_after(Some(&note)).await;
    assert!(!later.sound() && later.problem_count == 0 && later.overdue_count == 1, "{later}");
    vandalise_store(&scene.app.store, &set("state = 'revoked', ended_at = 1")).await;
    scene.seal().await;
    assert!(scene.verify().await.sound());
}

/// A bank whose subjects are not in good standing, or belong to another entity by now: each refusal says something of a
/// subject, so it has a record and counts as a fetch, in a delivery too (I1).
async fn a_refusal_that_says_something_of_a_subject_is_recorded_and_counted(store: TestStore) {
    let scene = Scene::of(store).await;
    let (app, bank, token) = (&scene.app, &scene.bank, &scene.token);
    let consent = app
        .consent(bank, |new| {
            new.permissions = vec![Permission::Settlements];
            new.max_fetches = Some(4);
        })
        .await;
    app.sql("UPDATE assessments SET grade = 'medium'", vec![]).await;
    app.sql("UPDATE publication SET number = number + 1", vec![]).await;
    let records = async || {
        let sql = "SELECT CAST(count(*) AS BIGINT) FROM ledger_openings WHERE consent_id = $1 AND entry_id LIKE 'dis%'";
        let args = vec![Arg::from(consent.id.to_string())];
        let (records,): (i64,) = app.store.db.read("test").fetch_one(sql, args).await.unwrap();
        let (used, _) = app.app.consents.used(&consent, app.store.clock.now().day()).await.unwrap();
        assert_eq!(records, used, "each record is counted");
        records
    };
    let settlements = Bank::data(&consent, "settlements");
    for refused in 1..=2 {
        assert_eq!(bank.get(token, &settlements).await.refusal(), (403, "settlements_not_available"));
        assert_eq!(records().await, refused);
    }
    // Refused before anything about a subject is read: nothing is said, and nothing is recorded.
    assert_eq!(bank.get(token, &Bank::data(&consent, "grade")).await.refusal(), (403, "permission_not_granted"));
    assert_eq!(records().await, 2);
    let details = serde_json::json!({ "month": "2026-02", "what": ["settlements"], "purpose": "pre_loan_review" });
    let page = bank.post(token, "/v1/deliveries", &details).await;
    let end = page.bytes.split(|byte| *byte == b'\n').rfind(|line| !line.is_empty()).unwrap();
    let end: serde_json::Value = serde_json::from_slice(end).unwrap();
    assert_eq!(end["lines"], 0, "{end}");
    assert!(end["receipts"].as_array().unwrap().is_empty() && end["refused"].as_i64().unwrap() >= 1, "{end}");
    assert_eq!(records().await, 3);
    app.sql("UPDATE subjects SET uscc = $1, version = version + 1", vec![OTHER_ENTITY.into()]).await;
    assert_eq!(bank.get(token, &settlements).await.refusal(), (403, "entity_changed"));
    assert_eq!(records().await, 4);
    assert_eq!(bank.get(token, &settlements).await.refusal(), (429, "consent_used_up"));
    assert_eq!(records().await, 4);
    scene.seal().await;
    let report = scene.verify().await;
    assert!(report.sound(), "{report}");
}
