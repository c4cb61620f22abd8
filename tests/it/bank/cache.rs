//! Answers from the cache: any change by another process shows in the next answer, and no caller is refused because of the
//! cache (I2, I3).

use std::{sync::Arc, time::Duration};

use medcredit::{
    app::{App, consent_policy},
    consent::{Amendment, Consent, Consents},
    domain::{Kinds, SeededEntropy, permission::Permission},
    grading::Rounds,
    http::server::Running,
    importing::{Importer, Options, Outcome, References, Template},
    store::{Crypter, Db},
};
use serde_json::json;

use crate::support::{
    TestStore,
    app::{Bank, CLINIC, ENTITY, HOSPITAL, KEY, OTHER_ENTITY, Reply, TestApp, signed_text},
    both_engines,
    logs::never_logged,
};

/// Another process on the same database, such as the command line.
struct Elsewhere<'a> {
    app: &'a TestApp,
    db: Db,
    entropy: Arc<SeededEntropy>,
    consents: Consents,
}

impl<'a> Elsewhere<'a> {
    async fn of(app: &'a TestApp) -> Self {
        let db = app.store.reopen().await;
        let (clock, entropy) = (app.store.clock.clone(), SeededEntropy::new(77));
        let kinds = Arc::new(Kinds::built_in().unwrap());
        let policy = consent_policy(&app.app.config);
        let consents = Consents::open(medcredit::store::Env::new(db.clone(), clock, entropy.clone()), kinds, policy);
        Self { app, db, entropy, consents }
    }

    async fn import(&self, template: Template, rows: &[String]) {
        let library = crate::support::library();
        let references = References::built_in(library.catalogues().cloned()).unwrap();
        let crypter = Arc::new(Crypter::new(&[KEY]).unwrap());
        let (clock, entropy) = (self.app.store.clock.clone(), self.entropy.clone());
        let importer = Importer::new(
            medcredit::store::Env::new(self.db.clone(), clock, entropy),
            crate::support::operator("tester"),
            crypter,
            references,
        );
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file.csv");
        std::fs::write(&path, format!("{}\n{}\n", template.columns().join(","), rows.join("\n"))).unwrap();
        let report = importer.import(template, &path, &Options::default(), &mut |_| {}).await.unwrap();
        assert_eq!((report.outcome, report.rejected), (Outcome::Accepted, 0), "{report:?}");
    }

    async fn publish(&self) -> String {
        let library = crate::support::library();
        let rounds = Rounds::new(medcredit::store::Env::new(
            self.db.clone(),
            self.app.store.clock.clone(),
            self.entropy.clone(),
        ));
        let period = "2025-H2".parse().unwrap();
        let run = rounds
            .run(crate::support::tester(), library.get("wenzhou-institution").unwrap(), period, &|_, _| {})
            .await
            .unwrap();
        rounds.publish(crate::support::tester(), &run.id.to_string(), 1).await.unwrap();
        run.id.to_string()
    }
}

fn subject(name: &str, uscc: &str) -> String {
    never_logged(name);
    format!(
        "medical_institution,{HOSPITAL},{uscc},{name},330302,二级,,01,330302198001010019,合成代表甲,2015-05-01,active,active"
    )
}

/// A bank that has read everything, so that it is cached.
struct Reader {
    bank: Bank,
    token: String,
    consent: Consent,
}

impl Reader {
    async fn of(app: &TestApp) -> Self {
        let bank = app.bank("Bank A").await;
        let (token, consent) = (bank.token().await, app.consent(&bank, |_| {}).await);
        let reader = Self { bank, token, consent };
        reader.answered("grade").await;
        reader.answered("settlements").await;
        reader
    }

    async fn reads(&self, what: &str) -> Reply {
        self.bank.get(&self.token, &Bank::data(&self.consent, what)).await
    }

    async fn answered(&self, what: &str) -> Reply {
        let reply = self.reads(what).await;
        assert_eq!(reply.status, 200, "{what}: {:?}", reply.json);
        reply
    }
}

both_engines! {
    an_unchanged_answer_comes_from_the_cache,
    what_another_process_publishes_or_imports_is_in_the_next_answer,
    a_consents_change_by_another_process_is_effective_immediately,
    a_consent_ended_through_one_gateway_is_ended_at_the_other,
    what_expires_by_time_alone_is_not_cached_longer,
    what_is_cached_for_one_bank_is_unknown_to_another,
    no_bank_gets_a_503_because_a_cached_reading_was_outdated,
}

/// A bank that reads again while nothing has changed: the tables of grades are not read, only their versions compared.
async fn an_unchanged_answer_comes_from_the_cache(store: TestStore) {
    let app = TestApp::start(store).await;
    let reader = Reader::of(&app).await;
    let before = reader.answered("grade").await;
    // No use case does this: no version that an append compares covers the change.
    app.sql("UPDATE assessments SET grade = 'bad' WHERE subject_code = $1", vec![HOSPITAL.into()]).await;
    let after = reader.answered("grade").await;
    assert_eq!(after.json["codes"], before.json["codes"]);
    assert_ne!(after.json["disclosure"], before.json["disclosure"]);
    assert_eq!(after.headers["content-digest"], medcredit::identity::signature::content_digest(&after.bytes));
    app.sql("UPDATE publication SET number = number + 1", vec![]).await;
    assert_eq!(reader.answered("grade").await.json["codes"][0]["grade"]["code"], "bad");
}

/// A bank whose subject's round, settlements or file another process replaces.
async fn what_another_process_publishes_or_imports_is_in_the_next_answer(store: TestStore) {
    let app = TestApp::start(store).await;
    let reader = Reader::of(&app).await;
    let elsewhere = Elsewhere::of(&app).await;
    let month = "2026-02,employee,150,150,2000000,1200000,1000000,976000,20000,3000,1000,0,0,976000,final,2026-03-31";
    elsewhere.import(Template::Settlements, &[format!("{HOSPITAL},{month}")]).await;
    let reply = reader.answered("settlements?from=2026-02").await;
    assert_eq!(reply.json["codes"][0]["months"][0]["version"], 2);
    let reply = reader.answered("settlements").await;
    let months = reply.json["codes"][0]["months"].as_array().unwrap();
    assert_eq!(months.iter().filter(|month| month["version"] == 2).count(), 1);

    elsewhere.import(Template::Subjects, &[subject("合成更名医院", ENTITY)]).await;
    assert_eq!(reader.answered("grade").await.json["codes"][0]["name"], "合成更名医院");

    let run = elsewhere.publish().await;
    let reply = reader.answered("grade").await;
    assert_eq!((&reply.json["codes"][0]["run"], &reply.json["codes"][1]["run"]), (&json!(run), &json!(run)));
    // Without records no subject is in good standing, and a cached reading of a good one is not disclosed.
    assert_eq!(reader.reads("settlements").await.refusal(), (403, "settlements_not_available"));

    elsewhere.import(Template::Subjects, &[subject("合成更名医院", OTHER_ENTITY)]).await;
    assert_eq!(reader.reads("grade").await.refusal(), (403, "entity_changed"));
}

/// A bank whose consent another process narrows, suspends, resumes and revokes.
async fn a_consents_change_by_another_process_is_effective_immediately(store: TestStore) {
    let app = TestApp::start(store).await;
    let reader = Reader::of(&app).await;
    let elsewhere = Elsewhere::of(&app).await;
    let (id, operator) = (reader.consent.id.to_string(), crate::support::decided_by("command-line"));
    let narrower =
        Amendment { permissions: Some(vec![Permission::Grade]), text: Some(signed_text("cd")), ..Amendment::default() };
    elsewhere.consents.amend(&id, &narrower, &operator).await.unwrap();
    assert_eq!(reader.reads("settlements").await.refusal(), (403, "permission_not_granted"));
    reader.answered("grade").await;
    elsewhere.consents.suspend(&id, &operator).await.unwrap();
    assert_eq!(reader.reads("grade").await.refusal(), (403, "consent_not_active"));
    // No cached state refuses it now.
    elsewhere.consents.resume(&id, &operator).await.unwrap();
    reader.answered("grade").await;
    let wider = Amendment {
        permissions: Some(vec![Permission::Grade, Permission::Settlements]),
        text: Some(signed_text("ef")),
        ..Amendment::default()
    };
    elsewhere.consents.amend(&id, &wider, &operator).await.unwrap();
    reader.answered("settlements").await;
    elsewhere.consents.revoke(&id, None, &operator).await.unwrap();
    for what in ["grade", "settlements"] {
        assert_eq!(reader.reads(what).await.refusal(), (403, "consent_not_active"));
    }
}

/// A bank that reads through two gateways and revokes through one of them.
async fn a_consent_ended_through_one_gateway_is_ended_at_the_other(store: TestStore) {
    let app = TestApp::start(store).await;
    let reader = Reader::of(&app).await;
    let db = app.store.reopen().await;
    let other = App::open(
        app.app.config.clone(),
        medcredit::store::Env::new(db, app.store.clock.clone(), SeededEntropy::new(80)),
    )
    .await
    .unwrap();
    let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let other = Running::listen(other, socket).unwrap();
    let url = format!("https://localhost:{}{}", other.address().port(), Bank::data(&reader.consent, "grade"));
    let through_the_other = async || reader.bank.send(reader.bank.http.get(&url).bearer_auth(&reader.token)).await;
    for _ in 0..2 {
        assert_eq!(through_the_other().await.status, 200);
    }
    let reply = reader.bank.delete(&reader.token, &format!("/v1/consents/{}", reader.consent.id)).await;
    assert!((200..300).contains(&reply.status), "{:?}", reply.json);
    assert_eq!(through_the_other().await.refusal(), (403, "consent_not_active"));
    assert_eq!(reader.reads("grade").await.refusal(), (403, "consent_not_active"));
    other.stop().await;
}

/// A bank that reads on the day after a grade's last.
async fn what_expires_by_time_alone_is_not_cached_longer(store: TestStore) {
    let app = TestApp::start(store).await;
    let mut reader = Reader::of(&app).await;
    reader.consent = app.consent(&reader.bank, |new| new.valid_for_days = Some(400)).await;
    assert_eq!(reader.answered("grade").await.json["codes"][0]["valid_until"], "2026-07-31");
    // To an hour before midnight of that day in the city, and past it.
    for (hours, status) in [(121 * 24 + 14, "graded"), (1, "expired")] {
        app.advance(Duration::from_hours(hours)).await;
        reader.token = reader.bank.token().await;
        let reply = reader.answered("grade").await;
        assert_eq!(reply.json["codes"][1]["status"], status, "{:?}", reply.json["disclosed_at"]);
    }
    assert_eq!(reader.reads("settlements").await.refusal(), (403, "settlements_not_available"));
}

/// A bank that names another bank's cached consent: the same answer as for one that does not exist (C7).
async fn what_is_cached_for_one_bank_is_unknown_to_another(store: TestStore) {
    let app = TestApp::start(store).await;
    let reader = Reader::of(&app).await;
    let stranger = app.bank("Bank B").await;
    let token = stranger.token().await;
    let reply = stranger.get(&token, &Bank::data(&reader.consent, "grade")).await;
    assert_eq!(reply.refusal(), (404, "consent_not_found"));
}

/// An operator who raises the version of a subject while many readings of it are cached.
async fn no_bank_gets_a_503_because_a_cached_reading_was_outdated(store: TestStore) {
    let app = TestApp::start_with(store, "[limits]\nburst = { quota = 100000, window_seconds = 1 }\nsustained = { quota = 1000000, window_seconds = 60 }").await;
    let reader = Reader::of(&app).await;
    for _ in 0..5 {
        app.sql("UPDATE subjects SET version = version + 1 WHERE code = $1", vec![CLINIC.into()]).await;
        let replies = futures_util::future::join_all((0..16).map(|_| reader.reads("grade"))).await;
        for reply in replies {
            assert_eq!(reply.status, 200, "{:?}", reply.json);
        }
    }
}
