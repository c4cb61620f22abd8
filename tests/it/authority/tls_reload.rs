//! The live TLS material of a running gateway: what it reloads, what it keeps, and when it becomes outdated.

use std::{path::PathBuf, sync::Arc, time::Duration};

use medcredit::{
    authority::{AuthorityError, Custody, ProfileName, Reloader, certificates as issuing, files, partners, server},
    domain::{Clock as _, Timestamp},
    identity::{IdentityError, RevocationList},
    store::Engine,
};

use super::{custody, init, issue, shown};
use crate::support::{
    TestStore, both_engines,
    pki::{DAY, NOW, Refusal, TestCa, identify},
    raw,
};

/// A gateway's directory with the server's files and a partner's list.
pub(super) struct GatewayFiles {
    directory: tempfile::TempDir,
}

impl GatewayFiles {
    pub(super) async fn new(custody: &Custody) -> Self {
        let files = Self { directory: tempfile::tempdir().unwrap() };
        init(custody).await;
        files.put_server(custody, &issue(custody, ProfileName::Server, "gateway").await);
        files
    }

    fn files(&self) -> server::ServerFiles {
        server::ServerFiles { certificate: self.path("server.crt"), key: self.path("server.key") }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(super) fn put_server(&self, custody: &Custody, issued: &issuing::Issued) {
        self.put_certificate(issued);
        let sealed = server::seal(&custody.crypter, &issued.facts, issued.private_key.as_ref().unwrap()).unwrap();
        files::write_private(&self.files().key, sealed.as_bytes()).unwrap();
    }

    fn put_certificate(&self, issued: &issuing::Issued) {
        let pem = files::to_pem(files::CERTIFICATE, &issued.certificate);
        files::write_public(&self.files().certificate, pem.as_bytes()).unwrap();
    }

    fn put_list(&self, list: &RevocationList) -> PathBuf {
        let path = self.path("partner.crl");
        files::write_public(&path, list.der()).unwrap();
        path
    }

    pub(super) async fn start(&self, custody: &Custody) -> Reloader {
        Reloader::start(custody.clone(), self.files()).await.unwrap()
    }
}

fn shown_certificate(reloader: &Reloader) -> Vec<u8> {
    reloader.live().material().certificate.to_vec()
}

both_engines! {
    a_revocation_reaches_a_running_gateway,
    a_refusal_reaches_a_running_gateway,
    a_partners_new_list_is_reloaded_from_its_file,
    a_bad_list_keeps_the_old_one,
    an_older_list_is_refused_after_a_restart_too,
    a_list_with_a_lower_number_replaces_none_whatever_its_date,
    the_file_of_a_removed_authority_is_no_longer_watched,
    operators_see_the_remaining_validity_of_a_list,
    a_running_gateway_detects_changes_by_polling,
    a_gateway_starts_without_a_partners_list_and_refuses_its_banks_only,
    a_server_certificate_is_replaced_only_by_one_that_matches_its_key,
    a_gateway_needs_a_server_certificate_to_start,
    material_that_may_be_outdated_is_not_fresh,
    a_gateway_renews_its_stale_list_when_it_starts,
    a_list_that_could_not_be_stored_is_used_as_soon_as_it_can_be,
    a_list_from_the_future_is_used_when_its_time_has_come,
    two_authorities_may_have_their_lists_in_one_file,
    a_server_certificate_is_used_although_a_build_failed,
}

async fn a_revocation_reaches_a_running_gateway(store: TestStore) {
    // A bank with an open connection, revoked from another process (T4, I3).
    let custody = custody(&store);
    let files = GatewayFiles::new(&custody).await;
    let bank = issue(&custody, ProfileName::BankClient, "bank-a").await;
    let reloader = files.start(&custody).await;
    let trust = reloader.live().material().trust.clone();
    let identity = identify(trust, &shown(&bank), store.clock.now()).unwrap();
    assert!(!reloader.refresh().await.unwrap(), "nothing changed");
    let elsewhere =
        Custody { env: medcredit::store::Env { db: store.reopen().await, ..custody.env.clone() }, ..custody.clone() };
    issuing::revoke(&elsewhere, &bank.facts.serial, "keyCompromise").await.unwrap();
    assert!(reloader.refresh().await.unwrap());
    let now = store.clock.now();
    assert_eq!(identity.recheck(&reloader.live().material().trust, now), Err(IdentityError::Revoked));
    assert!(matches!(
        identify(reloader.live().material().trust.clone(), &shown(&bank), now),
        Err(Refusal::Handshake(_))
    ));
}

async fn a_refusal_reaches_a_running_gateway(store: TestStore) {
    // A bank of a partner's authority, refused by thumbprint.
    let custody = custody(&store);
    let files = GatewayFiles::new(&custody).await;
    let ca = TestCa::root("Partner");
    partners::trust(&custody, "partner", &ca.certificate, &files.put_list(&ca.list(&[]))).await.unwrap();
    let bank = ca.bank("bank-a", 7);
    let reloader = files.start(&custody).await;
    let identity = identify(reloader.live().material().trust.clone(), &bank, NOW).unwrap();
    issuing::refuse(&custody, identity.thumbprint(), "reported by telephone").await.unwrap();
    reloader.refresh().await.unwrap();
    assert_eq!(identity.recheck(&reloader.live().material().trust, NOW), Err(IdentityError::RefusedHere));
}

async fn a_partners_new_list_is_reloaded_from_its_file(store: TestStore) {
    // A bank whose authority revokes its certificate, in a new list file.
    let custody = custody(&store);
    let files = GatewayFiles::new(&custody).await;
    let ca = TestCa::root("Partner");
    partners::trust(&custody, "partner", &ca.certificate, &files.put_list(&ca.list(&[]))).await.unwrap();
    let reloader = files.start(&custody).await;
    let identity = identify(reloader.live().material().trust.clone(), &ca.bank("bank-a", 7), NOW).unwrap();
    files.put_list(&ca.list_of(NOW, NOW.plus(DAY * 9), &[7]));
    assert!(reloader.refresh().await.unwrap());
    assert_eq!(identity.recheck(&reloader.live().material().trust, NOW), Err(IdentityError::Revoked));
}

async fn a_bad_list_keeps_the_old_one(store: TestStore) {
    // An attacker who can write a partner's list file: garbage, a forgery, an older list, no file.
    let custody = custody(&store);
    let files = GatewayFiles::new(&custody).await;
    let (ca, namesake) = (TestCa::root("Partner"), TestCa::root("Partner"));
    let path = files.put_list(&ca.list(&[7]));
    partners::trust(&custody, "partner", &ca.certificate, &path).await.unwrap();
    let reloader = files.start(&custody).await;
    let (good, revoked) = (ca.bank("bank-a", 8), ca.bank("bank-b", 7));
    let holds = || {
        let trust = || reloader.live().material().trust.clone();
        identify(trust(), &good, NOW).unwrap();
        assert!(identify(trust(), &revoked, NOW).is_err());
    };
    holds();
    let forged = namesake.list(&[]);
    let older = ca.list_of(NOW.minus(DAY), NOW.plus(DAY), &[]);
    for bad in [b"garbage".as_slice(), b"", forged.der(), older.der()] {
        files::write_public(&path, bad).unwrap();
        reloader.refresh().await.unwrap();
        holds();
    }
    std::fs::remove_file(&path).unwrap();
    reloader.refresh().await.unwrap();
    holds();
    files.put_list(&ca.list_of(NOW, NOW.plus(DAY * 9), &[]));
    reloader.refresh().await.unwrap();
    identify(reloader.live().material().trust.clone(), &revoked, NOW).unwrap();
}

async fn an_older_list_is_refused_after_a_restart_too(store: TestStore) {
    // An attacker who restores an old list while the gateway is down, to undo a revocation.
    let custody = custody(&store);
    let files = GatewayFiles::new(&custody).await;
    let ca = TestCa::root("Partner");
    let older = ca.list_of(NOW.minus(DAY), NOW.plus(DAY), &[]);
    partners::trust(&custody, "partner", &ca.certificate, &files.put_list(&older)).await.unwrap();
    files.start(&custody).await;
    let path = files.put_list(&ca.list(&[7]));
    files.start(&custody).await;
    files.put_list(&older);
    let reloader = files.start(&custody).await;
    assert!(identify(reloader.live().material().trust.clone(), &ca.bank("bank-a", 7), NOW).is_err());
    let again = partners::trust(&custody, "partner", &ca.certificate, &path).await;
    assert!(matches!(again, Err(AuthorityError::Invalid(_))));
    files.put_list(&ca.list(&[7]));
    assert!(reloader.refresh().await.unwrap());
    identify(reloader.live().material().trust.clone(), &ca.bank("bank-b", 8), NOW).unwrap();
}

async fn a_list_with_a_lower_number_replaces_none_whatever_its_date(store: TestStore) {
    // A partner whose clock was set back and forth, or an attacker who can write the list file and got an unpublished
    // list: by its date it is the newest one, and the revocation is not in it. The same of an intermediate.
    let custody = custody(&store);
    let files = GatewayFiles::new(&custody).await;
    let root = TestCa::root("Partner");
    let issuing = root.intermediate("Issuing", 9);
    let path = files.path("partner.crl");
    let put = |lists: &[RevocationList]| {
        let pem = lists.iter().map(|list| files::to_pem(files::REVOCATION_LIST, list.der()).to_string());
        files::write_public(&path, pem.collect::<String>().as_bytes()).unwrap();
    };
    let later = NOW.plus(Duration::from_secs(60));
    let of =
        |ca: &TestCa, number, at: Timestamp, revoked: &[u64]| ca.numbered_list(number, at, at.plus(DAY * 7), revoked);
    put(&[of(&root, 10, NOW, &[7]), of(&issuing, 300, NOW, &[7])]);
    partners::trust(&custody, "partner", &root.certificate, &path).await.unwrap();
    let reloader = files.start(&custody).await;
    let revoked = [root.bank("bank-a", 7), issuing.bank("bank-b", 7)];
    let refused = |reloader: &Reloader| {
        for bank in &revoked {
            assert!(identify(reloader.live().material().trust.clone(), bank, NOW).is_err());
        }
    };
    refused(&reloader);
    for lower in [
        [of(&root, 9, later, &[]), of(&issuing, 301, later, &[])],
        [of(&root, 11, later, &[]), of(&issuing, 255, later, &[])],
    ] {
        put(&lower);
        reloader.refresh().await.unwrap();
        refused(&reloader);
        // Nor after a restart, nor by an operator who trusts the authority again.
        refused(&files.start(&custody).await);
        let again = partners::trust(&custody, "partner", &root.certificate, &path).await;
        assert!(matches!(&again, Err(AuthorityError::Invalid(text)) if text.contains("is lower than")), "{again:?}");
    }
    put(&[of(&root, 11, later, &[]), of(&issuing, 301, later, &[])]);
    reloader.refresh().await.unwrap();
    for bank in &revoked {
        identify(reloader.live().material().trust.clone(), bank, NOW).unwrap();
    }
    put(&[of(&root, 10, later, &[7]), of(&issuing, 301, later, &[])]);
    let restarted = files.start(&custody).await;
    assert!(identify(restarted.live().material().trust.clone(), &revoked[1], NOW).is_err(), "number 11 was in use");
}

async fn the_file_of_a_removed_authority_is_no_longer_watched(store: TestStore) {
    // A gateway whose partner left and whose file still changes.
    let custody = custody(&store);
    let files = GatewayFiles::new(&custody).await;
    let ca = TestCa::root("Partner");
    partners::trust(&custody, "partner", &ca.certificate, &files.put_list(&ca.list(&[]))).await.unwrap();
    let reloader = files.start(&custody).await;
    partners::distrust(&custody, "partner", "merged").await.unwrap();
    assert!(reloader.refresh().await.unwrap());
    files.put_list(&ca.list(&[7]));
    assert!(!reloader.refresh().await.unwrap());
}

async fn operators_see_the_remaining_validity_of_a_list(store: TestStore) {
    // An operator's monitoring system, while a partner sends no new list.
    let metrics = medcredit::telemetry::install_metrics();
    let custody = custody(&store);
    let files = GatewayFiles::new(&custody).await;
    let ca = TestCa::root("Watched");
    let list = ca.list_of(NOW, NOW.plus(DAY * 4), &[]);
    let name = format!("watched {}", ca.id);
    partners::trust(&custody, &name, &ca.certificate, &files.put_list(&list)).await.unwrap();
    let reloader = files.start(&custody).await;
    let shows = |metric: &str, value: &str| {
        let line = format!("{metric}{{authority=\"{name}\"}} {value}\n");
        let text = metrics.render();
        assert!(text.contains(&line), "{line} in {text}");
    };
    reloader.refresh().await.unwrap();
    shows("medcredit_crl_life_left_ratio", "1");
    shows("medcredit_crl_stale", "0");
    store.clock.advance(DAY * 3);
    reloader.refresh().await.unwrap();
    shows("medcredit_crl_life_left_ratio", "0.25");
    store.clock.advance(DAY);
    reloader.refresh().await.unwrap();
    shows("medcredit_crl_life_left_ratio", "0");
    shows("medcredit_crl_stale", "1");
    files::write_public(&files.path("partner.crl"), b"garbage").unwrap();
    reloader.refresh().await.unwrap();
    shows("medcredit_crl_rejected", "1");
}

async fn a_running_gateway_detects_changes_by_polling(store: TestStore) {
    // A bank that is revoked from another process while the gateway polls. The freshness of the material ensures that
    // the gateway detects it within a second or refuses everybody (I3).
    let custody = custody(&store);
    let files = GatewayFiles::new(&custody).await;
    let bank = issue(&custody, ProfileName::BankClient, "bank-a").await;
    let reloader = Arc::new(files.start(&custody).await);
    let live = reloader.live();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let running = tokio::spawn(reloader.run(async {
        let _ = stopped.await;
    }));
    let elsewhere =
        Custody { env: medcredit::store::Env { db: store.reopen().await, ..custody.env.clone() }, ..custody.clone() };
    issuing::revoke(&elsewhere, &bank.facts.serial, "keyCompromise").await.unwrap();
    let revoked_at = tokio::time::Instant::now();
    while identify(live.material().trust.clone(), &shown(&bank), store.clock.now()).is_ok() {
        assert!(revoked_at.elapsed() < Duration::from_secs(30));
        tokio::task::yield_now().await;
    }
    drop(stop);
    running.await.unwrap();
}

async fn a_gateway_starts_without_a_partners_list_and_refuses_its_banks_only(store: TestStore) {
    // A bank of an authority whose file is missing, and a bank of the local CA.
    let custody = custody(&store);
    let files = GatewayFiles::new(&custody).await;
    let ca = TestCa::root("Partner");
    let path = files.put_list(&ca.list(&[]));
    partners::trust(&custody, "partner", &ca.certificate, &path).await.unwrap();
    std::fs::remove_file(&path).unwrap();
    let reloader = files.start(&custody).await;
    let trust = || reloader.live().material().trust.clone();
    assert!(identify(trust(), &ca.bank("bank-a", 7), NOW).is_err());
    let ours = issue(&custody, ProfileName::BankClient, "bank-b").await;
    identify(trust(), &shown(&ours), store.clock.now()).unwrap();
    files.put_list(&ca.list(&[]));
    assert!(reloader.refresh().await.unwrap(), "the file appears");
    identify(trust(), &ca.bank("bank-a", 7), NOW).unwrap();
}

async fn a_server_certificate_is_replaced_only_by_one_that_matches_its_key(store: TestStore) {
    // An operator who replaces the server's files, one after the other.
    let custody = custody(&store);
    let files = GatewayFiles::new(&custody).await;
    let reloader = files.start(&custody).await;
    let first = shown_certificate(&reloader);
    let second = issue(&custody, ProfileName::Server, "gateway").await;
    files.put_certificate(&second);
    reloader.refresh().await.unwrap();
    assert_eq!(shown_certificate(&reloader), first, "the key does not fit yet");
    files.put_server(&custody, &second);
    reloader.refresh().await.unwrap();
    assert_ne!(shown_certificate(&reloader), first);
    let taken = shown_certificate(&reloader);
    files::write_public(&files.files().certificate, b"garbage").unwrap();
    reloader.refresh().await.unwrap();
    assert_eq!(shown_certificate(&reloader), taken);
}

async fn a_gateway_needs_a_server_certificate_to_start(store: TestStore) {
    // An operator who forgot to issue one.
    let custody = custody(&store);
    init(&custody).await;
    let files = server::ServerFiles { certificate: "/nonexistent/a".into(), key: "/nonexistent/b".into() };
    assert!(Reloader::start(custody, files).await.is_err());
}

async fn material_that_may_be_outdated_is_not_fresh(store: TestStore) {
    // A gateway that cannot reach its database (I3).
    let custody = custody(&store);
    let files = GatewayFiles::new(&custody).await;
    let reloader = files.start(&custody).await;
    let live = reloader.live();
    store.clock.advance(Duration::from_secs(1));
    assert!(live.fresh(&*store.clock).is_some());
    store.clock.advance(Duration::from_micros(1));
    assert!(live.fresh(&*store.clock).is_none());
    reloader.refresh().await.unwrap();
    assert!(live.fresh(&*store.clock).is_some());
    store.db.close().await;
    assert!(reloader.refresh().await.is_err());
    store.clock.advance(Duration::from_secs(2));
    assert!(live.fresh(&*store.clock).is_none());
}

async fn a_gateway_renews_its_stale_list_when_it_starts(store: TestStore) {
    // A gateway that was off for a week, and a bank that calls immediately.
    let custody = custody(&store);
    let files = GatewayFiles::new(&custody).await;
    let bank = issue(&custody, ProfileName::BankClient, "bank-a").await;
    store.clock.advance(DAY * 7);
    let reloader = files.start(&custody).await;
    identify(reloader.live().material().trust.clone(), &shown(&bank), store.clock.now()).unwrap();
}

/// Makes every update of a table fail, as on a full disk, and lets them succeed again.
async fn updates_fail(store: &TestStore, table: &str, fail: bool) {
    let sql = match (store.db.engine(), fail) {
        (Engine::Sqlite, true) => {
            format!("CREATE TRIGGER failing BEFORE UPDATE ON {table} BEGIN SELECT RAISE(ABORT, 'no space'); END")
        }
        (Engine::Sqlite, false) => "DROP TRIGGER failing".into(),
        (Engine::Postgres, true) => format!(
            "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no space' \
             USING ERRCODE = '53100'; END $$; \
             CREATE TRIGGER failing BEFORE UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION fail()"
        ),
        (Engine::Postgres, false) => format!("DROP TRIGGER failing ON {table}; DROP FUNCTION fail()"),
    };
    raw::execute(store, &sql).await;
}

async fn a_list_that_could_not_be_stored_is_used_as_soon_as_it_can_be(store: TestStore) {
    // A bank whose revocation arrives while the database cannot be written to: as long as the new list is not in use, the
    // old one must not pass as current (I3).
    let custody = custody(&store);
    let files = GatewayFiles::new(&custody).await;
    let ca = TestCa::root("Partner");
    partners::trust(&custody, "partner", &ca.certificate, &files.put_list(&ca.list(&[]))).await.unwrap();
    let reloader = files.start(&custody).await;
    let live = reloader.live();
    let identity = identify(live.material().trust.clone(), &ca.bank("bank-a", 7), NOW).unwrap();
    // A list of the same second would change nothing in the store.
    store.clock.advance(Duration::from_secs(2));
    reloader.refresh().await.unwrap();
    updates_fail(&store, "authorities", true).await;
    files.put_list(&ca.list_of(NOW.plus(Duration::from_secs(1)), NOW.plus(DAY * 9), &[7]));
    for _ in 0..3 {
        store.clock.advance(Duration::from_millis(600));
        reloader.refresh().await.unwrap_err();
    }
    assert!(live.fresh(&*store.clock).is_none(), "nobody is answered meanwhile");
    updates_fail(&store, "authorities", false).await;
    assert!(reloader.refresh().await.unwrap());
    assert_eq!(identity.recheck(&live.fresh(&*store.clock).unwrap().trust, NOW), Err(IdentityError::Revoked));
    assert!(!reloader.refresh().await.unwrap(), "seen");
}

async fn a_list_from_the_future_is_used_when_its_time_has_come(store: TestStore) {
    // A partner whose clock is an hour ahead, and a bank that its new list revokes.
    let custody = custody(&store);
    let files = GatewayFiles::new(&custody).await;
    let ca = TestCa::root("Partner");
    let ahead = store.clock.now().plus(Duration::from_hours(1));
    let valid = store.clock.now().minus(DAY);
    let list = |from, serials: &[u64]| ca.list_of(from, ahead.plus(DAY * 9), serials);
    partners::trust(&custody, "partner", &ca.certificate, &files.put_list(&list(valid, &[]))).await.unwrap();
    let reloader = files.start(&custody).await;
    let now = || store.clock.now();
    let identity = identify(reloader.live().material().trust.clone(), &ca.bank("bank-a", 7), now()).unwrap();
    files.put_list(&list(ahead, &[7]));
    assert!(reloader.refresh().await.unwrap());
    assert!(!reloader.refresh().await.unwrap(), "a list that was refused is not read at every poll");
    assert_eq!(identity.recheck(&reloader.live().material().trust, now()), Ok(()));
    store.clock.advance(Duration::from_hours(1));
    assert!(reloader.refresh().await.unwrap());
    assert_eq!(identity.recheck(&reloader.live().material().trust, now()), Err(IdentityError::Revoked));
}

async fn two_authorities_may_have_their_lists_in_one_file(store: TestStore) {
    // A partner with two authorities and one file for both lists.
    let custody = custody(&store);
    let files = GatewayFiles::new(&custody).await;
    let (one, two) = (TestCa::root("Partner one"), TestCa::root("Partner two"));
    let path = files.path("partner.crl");
    let put = |lists: [RevocationList; 2]| {
        let pem = lists.map(|list| files::to_pem(files::REVOCATION_LIST, list.der()).to_string());
        files::write_public(&path, pem.concat().as_bytes()).unwrap();
    };
    put([one.list(&[]), two.list(&[])]);
    partners::trust(&custody, "one", &one.certificate, &path).await.unwrap();
    partners::trust(&custody, "two", &two.certificate, &path).await.unwrap();
    let reloader = files.start(&custody).await;
    let trust = || reloader.live().material().trust.clone();
    let identities = [&one, &two].map(|ca| identify(trust(), &ca.bank("bank-a", 7), NOW).unwrap());
    let until = NOW.plus(DAY * 9);
    put([one.list_of(NOW, until, &[7]), two.list_of(NOW, until, &[7])]);
    assert!(reloader.refresh().await.unwrap());
    for identity in identities {
        assert_eq!(identity.recheck(&trust(), NOW), Err(IdentityError::Revoked));
    }
}

async fn a_server_certificate_is_used_although_a_build_failed(store: TestStore) {
    // An operator who replaces the server's files while the database is in trouble.
    let custody = custody(&store);
    let files = GatewayFiles::new(&custody).await;
    let reloader = files.start(&custody).await;
    let first = shown_certificate(&reloader);
    let second = issue(&custody, ProfileName::Server, "gateway").await;
    reloader.refresh().await.unwrap();
    files.put_server(&custody, &second);
    raw::execute(&store, "ALTER TABLE refused_certificates RENAME TO elsewhere").await;
    reloader.refresh().await.unwrap_err();
    raw::execute(&store, "ALTER TABLE elsewhere RENAME TO refused_certificates").await;
    assert!(reloader.refresh().await.unwrap());
    assert_ne!(shown_certificate(&reloader), first);
}
