//! Amendments: within the bounds of a request, and with a newly signed text where they allow more.

use medcredit::{
    consent::{Amendment, Consent, Grant, SignedText},
    domain::{
        Failure, FailureKind, Timestamp,
        permission::{Permission, Purpose},
    },
    store::consents,
};

use crate::support::{
    TestStore,
    app::{Bank, TestApp, signed, signed_text},
    both_engines, decided_by,
};

both_engines! {
    an_amendment_keeps_to_the_bounds_of_a_request,
    an_amendment_that_allows_more_needs_a_newly_signed_text,
    a_grant_keeps_to_what_was_requested_and_to_the_bounds,
    the_text_of_an_amendment_is_in_the_receipt,
}

struct Amended {
    app: TestApp,
    bank: Bank,
    consent: Consent,
}

impl Amended {
    /// A bank with a consent for grades of fifteen months, ten fetches in all and two in a day.
    async fn of(store: TestStore) -> Self {
        let app = TestApp::start(store).await;
        let bank = app.bank("Bank A").await;
        let consent = app
            .consent(&bank, |wish| {
                wish.permissions = vec![Permission::Grade];
                (wish.max_fetches, wish.daily_budget) = (Some(10), Some(2));
            })
            .await;
        Self { app, bank, consent }
    }

    async fn amend(&self, amendment: Amendment) -> Result<Consent, Failure> {
        self.app.app.consents.amend(&self.consent.id.to_string(), &amendment, &decided_by("tester")).await
    }

    /// Nothing of the consent has changed, its version and its events included.
    async fn is_untouched(&self) {
        let id = self.consent.id.to_string();
        let present = self.app.app.consents.get_any(&id).await.unwrap();
        assert_eq!(format!("{present:?}"), format!("{:?}", self.consent));
        assert_eq!(consents::events(&self.app.store.db, &id).await.unwrap().len(), 2);
    }
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// An operator with a signed text who goes beyond what any request may ask for.
async fn an_amendment_keeps_to_the_bounds_of_a_request(store: TestStore) {
    let of = Amended::of(store).await;
    let data = |from: &str, to: &str| Some((from.parse().unwrap(), to.parse().unwrap()));
    let none = Amendment { text: Some(signed_text("cd")), ..Amendment::default() };
    for (amendment, field) in [
        (Amendment { permissions: Some(vec![]), ..none.clone() }, "permissions"),
        (Amendment { purposes: Some(vec![]), ..none.clone() }, "purposes"),
        (Amendment { data: data("1900-01", "2026-03"), ..none.clone() }, "data_from"),
        (Amendment { data: data("1900-01", "1900-12"), ..none.clone() }, "data_to"),
        (Amendment { data: data("2026-03", "2026-02"), ..none.clone() }, "data_from"),
        (Amendment { data: data("2096-01", "2096-02"), ..none.clone() }, "data_to"),
        (Amendment { max_fetches: Some(0), ..none.clone() }, "max_fetches"),
        (Amendment { max_fetches: Some(1_000_001), ..none.clone() }, "max_fetches"),
        (Amendment { daily_budget: Some(-5), ..none.clone() }, "daily_budget"),
        (Amendment { expires_at: Some(at("2096-01-01T00:00:00Z")), ..none.clone() }, "expires_at"),
        (Amendment { expires_at: Some(at("2020-01-01T00:00:00Z")), ..none.clone() }, "expires_at"),
        (Amendment { text: Some(signed_text("CD")), ..none.clone() }, "text_sha256"),
        (
            Amendment { text: Some(SignedText { signer: "somebody".into(), ..signed_text("cd") }), ..none.clone() },
            "signer",
        ),
    ] {
        let failure = of.amend(amendment.clone()).await.unwrap_err();
        assert_eq!(failure.code, "invalid_request", "{amendment:?}");
        assert_eq!(failure.kind, FailureKind::Invalid { field: field.into() }, "{amendment:?}");
    }
    of.is_untouched().await;
}

/// An operator who widens each term without a signed text, with an old one, and with a new one.
async fn an_amendment_that_allows_more_needs_a_newly_signed_text(store: TestStore) {
    let of = Amended::of(store).await;
    let later = of.consent.expires_at.plus(std::time::Duration::from_secs(1));
    let wider = [
        Amendment { permissions: Some(vec![Permission::Grade, Permission::Settlements]), ..Amendment::default() },
        Amendment { permissions: Some(vec![Permission::Settlements]), ..Amendment::default() },
        Amendment { purposes: Some(vec![Purpose::PostLoanManagement]), ..Amendment::default() },
        Amendment { data: Some(("2024-12".parse().unwrap(), "2026-03".parse().unwrap())), ..Amendment::default() },
        Amendment { data: Some(("2025-01".parse().unwrap(), "2026-04".parse().unwrap())), ..Amendment::default() },
        Amendment { max_fetches: Some(11), ..Amendment::default() },
        Amendment { daily_budget: Some(3), ..Amendment::default() },
        Amendment { expires_at: Some(later), ..Amendment::default() },
    ];
    for amendment in &wider {
        let failure = of.amend(amendment.clone()).await.unwrap_err();
        assert_eq!(failure.code, "consent_evidence_required", "{amendment:?}");
        // The text of the grant was not signed for more than the grant.
        let failure = of.amend(Amendment { text: Some(signed().text), ..amendment.clone() }).await.unwrap_err();
        assert_eq!(failure.code, "consent_evidence_used", "{amendment:?}");
    }
    of.is_untouched().await;
    let token = of.bank.token().await;
    let refused = of.bank.get(&token, &Bank::data(&of.consent, "settlements")).await;
    assert_eq!(refused.refusal(), (403, "permission_not_granted"));

    for (amendment, byte) in wider.iter().zip(["01", "02", "03", "04", "05", "06", "07", "08"]) {
        of.amend(Amendment { text: Some(signed_text(byte)), ..amendment.clone() }).await.unwrap();
    }
    // Narrowing needs no text; widening again needs another one than before.
    of.amend(Amendment { max_fetches: Some(1), daily_budget: Some(1), ..Amendment::default() }).await.unwrap();
    let again = Amendment { max_fetches: Some(11), text: Some(signed_text("06")), ..Amendment::default() };
    assert_eq!(of.amend(again).await.unwrap_err().code, "consent_evidence_used");
}

/// An operator who grants more time than the bank requested.
async fn a_grant_keeps_to_what_was_requested_and_to_the_bounds(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank("Bank A").await;
    let pending = app.pending(&bank, |_| {}).await;
    let grant =
        async |grant: Grant| app.app.consents.grant(&pending.id.to_string(), &grant, &decided_by("tester")).await;
    for end in [pending.expires_at.plus(std::time::Duration::from_secs(1)), at("2096-01-01T00:00:00Z")] {
        let failure = grant(Grant { expires_at: Some(end), ..signed() }).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Invalid { field: "expires_at".into() }, "{end}");
    }
    // A request that was written under other bounds, or by other hands.
    for (statement, field) in [
        ("UPDATE consents SET daily_budget = -5 WHERE id = $1", "daily_budget"),
        ("UPDATE consents SET daily_budget = NULL, data_from = '1900-01' WHERE id = $1", "data_from"),
    ] {
        app.sql(statement, vec![pending.id.to_string().into()]).await;
        let failure = grant(signed()).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Invalid { field: field.into() });
    }
    app.sql("UPDATE consents SET data_from = '2025-01' WHERE id = $1", vec![pending.id.to_string().into()]).await;
    let earlier = pending.expires_at.minus(std::time::Duration::from_secs(86_400));
    let granted = grant(Grant { expires_at: Some(earlier), ..signed() }).await.unwrap();
    assert_eq!(granted.expires_at, earlier);
}

/// A bank that reads which text its amended consent rests on.
async fn the_text_of_an_amendment_is_in_the_receipt(store: TestStore) {
    let of = Amended::of(store).await;
    let text = SignedText { sha256: "cd".repeat(32), version: "2".into(), signer: "authorised_agent".into() };
    of.amend(Amendment { max_fetches: Some(20), text: Some(text), ..Amendment::default() }).await.unwrap();
    let reply = of.bank.get(&of.bank.token().await, &Bank::data(&of.consent, "receipt")).await;
    let jws = String::from_utf8(reply.bytes).unwrap();
    let payload = data_encoding::BASE64URL_NOPAD.decode(jws.split('.').nth(1).unwrap().as_bytes()).unwrap();
    let record: serde_json::Value = serde_json::from_slice(&payload).unwrap();
    assert_eq!((&record["notice"]["sha256"], &record["notice"]["version"]), (&"cd".repeat(32).into(), &"2".into()));
    let events = consents::events(&of.app.store.db, &of.consent.id.to_string()).await.unwrap();
    assert_eq!(events[2].evidence_sha256, Some("cd".repeat(32)));
    assert!(events[2].changes.contains("authorised_agent"), "{}", events[2].changes);
}
