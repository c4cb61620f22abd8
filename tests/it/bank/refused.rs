//! Who is refused at the endpoints for former grades, totals and reports, each with its own code: the same at all of them.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use medcredit::{
    consent::Consents,
    domain::permission::{Permission, Purpose},
    ledger::{Faults, Step},
};

use super::{disclosures, token};
use crate::support::{
    TestStore,
    app::{Bank, CLINIC, OTHER_ENTITY, TestApp},
    both_engines,
};

/// Endpoint, a permission it needs, and that one's scope.
const ENDPOINTS: [(&str, Permission, &str); 3] = [
    ("grade-history", Permission::GradeHistory, "grade-history:read"),
    ("scorecard", Permission::Scorecard, "scorecard:read"),
    ("report", Permission::Scorecard, "scorecard:read"),
];

both_engines! {
    outside_token_consent_and_purpose,
    by_a_consent_that_is_not_in_force,
    by_a_revocation_on_the_way_to_the_record,
}

/// A bank that asks beyond its token or its consent.
async fn outside_token_consent_and_purpose(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank_with("Bank A", |new| new.max_pending = 50).await;
    let other = app.bank("Bank B").await;
    let full = bank.token().await;
    for (endpoint, permission, scope) in ENDPOINTS {
        let consent = app.consent(&bank, |new| new.permissions = vec![permission]).await;
        let path = Bank::data(&consent, endpoint);
        let enough = token(&bank, scope).await;
        assert_eq!(bank.get(&enough, &path).await.status, 200, "{endpoint}");
        let wrong = token(&bank, "consents:read disclosures:read").await;
        let reply = bank.get(&wrong, &path).await;
        assert_eq!(reply.refusal(), (403, "insufficient_scope"), "{endpoint}");
        assert!(reply.headers["www-authenticate"].contains(scope), "{endpoint}");

        let narrow = app.consent(&bank, |new| new.permissions = vec![Permission::AccountMatch]).await;
        assert_eq!(bank.get(&full, &Bank::data(&narrow, endpoint)).await.refusal(), (403, "permission_not_granted"));
        assert_eq!(
            bank.get(&full, &format!("{path}?purpose=loan_approval")).await.refusal(),
            (403, "purpose_not_granted")
        );
        assert_eq!(bank.get(&full, &format!("{path}?purpose=marketing")).await.refusal(), (400, "invalid_request"));
        assert_eq!(
            bank.get(&full, &format!("{path}?porpose=pre_loan_review")).await.refusal(),
            (400, "invalid_request")
        );
        let several = app
            .consent(&bank, |new| {
                new.permissions = vec![permission];
                new.purposes.push(Purpose::LoanApproval);
            })
            .await;
        assert_eq!(bank.get(&full, &Bank::data(&several, endpoint)).await.refusal(), (400, "purpose_required"));
        let reply = bank.get(&full, &Bank::data(&several, &format!("{endpoint}?purpose=loan_approval"))).await;
        assert_eq!((reply.status, &reply.json["purpose"]), (200, &serde_json::json!("loan_approval")));

        let foreign = app.consent(&other, |new| new.permissions = vec![permission]).await;
        let unknown = foreign.id.to_string().replace("con_0", "con_1");
        let mut bodies = Vec::new();
        for id in [foreign.id.to_string(), unknown, "con_nonsense".into(), "%FF%00".into()] {
            let mut reply = bank.get(&full, &format!("/v1/consents/{id}/{endpoint}")).await;
            assert_eq!(reply.refusal(), (404, "consent_not_found"), "{endpoint} {id}");
            reply.json["instance"] = serde_json::Value::Null;
            bodies.push(reply.json.to_string());
        }
        assert!(bodies.windows(2).all(|pair| pair[0] == pair[1]), "{bodies:?}");
    }
}

/// A bank whose consent waits, stops, ends, is used up, or names a code that has passed on.
async fn by_a_consent_that_is_not_in_force(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank_with("Bank A", |new| new.max_pending = 50).await;
    let full = bank.token().await;
    let operator = crate::support::decided_by("tester");
    for (endpoint, permission, _) in ENDPOINTS {
        let pending = app.pending(&bank, |new| new.permissions = vec![permission]).await;
        assert_eq!(bank.get(&full, &Bank::data(&pending, endpoint)).await.refusal(), (403, "consent_not_active"));
        let consent = app.consent(&bank, |new| new.permissions = vec![permission]).await;
        let (id, path) = (consent.id.to_string(), Bank::data(&consent, endpoint));
        app.app.consents.suspend(&id, &operator).await.unwrap();
        assert_eq!(bank.get(&full, &path).await.refusal(), (403, "consent_not_active"));
        app.app.consents.resume(&id, &operator).await.unwrap();
        assert_eq!(bank.get(&full, &path).await.status, 200);
        app.app.consents.revoke(&id, None, &operator).await.unwrap();
        assert_eq!(bank.get(&full, &path).await.refusal(), (403, "consent_not_active"));
        let once = app
            .consent(&bank, |new| {
                new.permissions = vec![permission];
                new.max_fetches = Some(1);
            })
            .await;
        assert_eq!(bank.get(&full, &Bank::data(&once, endpoint)).await.status, 200);
        assert_eq!(bank.get(&full, &Bank::data(&once, endpoint)).await.refusal(), (429, "consent_used_up"));
    }
    let permissions: Vec<_> = ENDPOINTS.iter().map(|(_, permission, _)| *permission).collect();
    let passed = app
        .consent(&bank, |new| {
            new.permissions = permissions.clone();
            new.valid_for_days = Some(1);
        })
        .await;
    app.sql(
        "UPDATE subjects SET uscc = $2, version = version + 1 WHERE code = $1",
        vec![CLINIC.into(), OTHER_ENTITY.into()],
    )
    .await;
    app.app.catch_up().await.unwrap();
    for (endpoint, ..) in ENDPOINTS {
        assert_eq!(
            bank.get(&full, &Bank::data(&passed, endpoint)).await.refusal(),
            (403, "entity_changed"),
            "{endpoint}"
        );
    }
    app.advance(Duration::from_secs(86_400)).await;
    let full = bank.token().await;
    for (endpoint, ..) in ENDPOINTS {
        let reply = bank.get(&full, &Bank::data(&passed, endpoint)).await;
        assert_eq!(reply.refusal(), (403, "consent_not_active"), "{endpoint}");
        assert!(reply.json["detail"].as_str().unwrap().contains("expired"));
    }
}

/// A bank whose consent is revoked from elsewhere after its answer was signed (I2): no answer and no record.
async fn by_a_revocation_on_the_way_to_the_record(store: TestStore) {
    type Revoking = Arc<Mutex<Option<(Consents, String)>>>;
    let revoking: Revoking = Arc::default();
    let armed = revoking.clone();
    let faults = Faults::new(move |step| {
        let revoke = if step == Step::Append { armed.lock().unwrap().take() } else { None };
        async move {
            if let Some((consents, id)) = revoke {
                consents.revoke(&id, None, &crate::support::decided_by("elsewhere")).await.unwrap();
            }
            Ok(())
        }
    });
    let app = TestApp::start_breakable(store, "", faults).await;
    let bank = app.bank("Bank A").await;
    let full = bank.token().await;
    let kinds = Arc::new(medcredit::domain::Kinds::built_in().unwrap());
    let policy = medcredit::app::consent_policy(&app.app.config);
    let elsewhere = Consents::open(
        medcredit::store::Env::new(app.store.reopen().await, app.store.clock.clone(), app.store.entropy.clone()),
        kinds,
        policy,
    );
    for (endpoint, permission, _) in ENDPOINTS {
        let consent = app.consent(&bank, |new| new.permissions = vec![permission]).await;
        let before = disclosures(&app).await;
        *revoking.lock().unwrap() = Some((elsewhere.clone(), consent.id.to_string()));
        let reply = bank.get(&full, &Bank::data(&consent, endpoint)).await;
        assert_eq!(reply.refusal(), (403, "consent_not_active"), "{endpoint}: {:?}", reply.json);
        assert!(revoking.lock().unwrap().is_none(), "the step was not reached");
        assert_eq!(disclosures(&app).await, before);
    }
}
