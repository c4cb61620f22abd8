//! `medcredit ledger verify|prove|checkpoint|accept-checkpoint`, as an operator or an auditor runs them.

use medcredit::{cli, domain::ids::KeyId, ledger::Proof};

use super::{
    fixture::LedgerFixture,
    vandal::{turn_back, vandalise},
};
use crate::support::{
    TestStore, both_engines,
    cluster::cluster,
    command::{Outcome, medcredit},
    store::StoreLocation,
};

/// A configuration of the fixture's store, whose log has the fixture's key.
async fn configured(fixture: &LedgerFixture) -> String {
    let store = match fixture.store.location() {
        StoreLocation::Sqlite(directory) => format!("engine = 'sqlite'\ndirectory = '{}'", directory.path().display()),
        StoreLocation::Postgres { database } => {
            std::fs::write(fixture.directory.path().join("url"), cluster().url(database)).unwrap();
            "engine = 'postgres'\nurl_file = 'url'".into()
        }
    };
    let gateway = "[gateway]\npublic_origin = 'https://gateway.example'";
    let text = format!("{gateway}\n[store]\n{store}\n[ledger]\ncheckpoint_file = 'checkpoint'\n");
    let file = fixture.directory.path().join("gateway.toml");
    std::fs::write(&file, text).unwrap();
    let id = KeyId::new(&*fixture.store.clock, fixture.entropy()).to_string();
    let key = fixture.signer.public_key_der().to_vec();
    fixture
        .change(
            "INSERT INTO keys (id, purpose, suite, public_key, sealed_private, state, created_at) VALUES ($1, 'ledger_signing', 'Ed25519', $2, $2, 'active', 0)",
            vec![id.into(), key.into()],
        )
        .await;
    file.to_str().unwrap().to_owned()
}

async fn ledger(config: &str, args: &[&str]) -> Outcome {
    medcredit(&[&["ledger"], args, &["--config", config]].concat()).await
}

both_engines! {
    an_auditor_verifies_and_the_exit_code_shows_the_result,
    a_proof_is_printed_in_the_documented_form,
    a_missing_checkpoint_file_is_accepted_by_an_operator,
    a_daily_verification_continues_after_the_last_one,
}

/// An auditor verifies with the log's key, and again after somebody has changed the database.
async fn an_auditor_verifies_and_the_exit_code_shows_the_result(store: TestStore) {
    let fixture = LedgerFixture::new(store).await;
    let config = configured(&fixture).await;
    fixture.explain_consent().await;
    let none = ledger(&config, &["checkpoint"]).await;
    assert_eq!(none.code, cli::FAILED);
    let ids = fixture.record_many(30).await;
    fixture.sealer().seal_once().await.unwrap();
    let note = ledger(&config, &["checkpoint"]).await.done();
    assert_eq!(Some(note), fixture.checkpoint_file().read().await.unwrap());
    let key = ledger(&config, &["checkpoint", "--keys"]).await.done();
    assert_eq!(key.trim_end(), fixture.verifier_key().to_string());
    let said = ledger(&config, &["verify", "--key", key.trim_end()]).await.done();
    assert!(said.contains("leaves       32 hashed again") && said.contains("the ledger is whole"), "{said}");
    assert!(!said.contains("from this same database"));
    let said = ledger(&config, &["verify"]).await.done();
    assert!(said.contains("1 from this same database"), "{said}");
    let missing = ledger(&config, &["verify", "--checkpoint", "/nowhere/checkpoint"]).await;
    assert_eq!(missing.code, cli::FAILED);
    assert!(missing.out.contains("THE CHECKPOINT FILE IS MISSING"), "{}", missing.out);
    assert!(missing.out.contains("the end of the ledger is NOT verified"), "{}", missing.out);
    assert!(missing.err.contains("accept-checkpoint"), "{}", missing.err);
    assert_eq!(ledger(&config, &["verify", "--key", "nonsense"]).await.code, cli::WRONG_USAGE);
    let tamper = format!("UPDATE ledger_entries SET body = replace(body, '2026-', '2027-') WHERE id = '{}'", ids[7]);
    vandalise(&fixture, &tamper).await;
    let outcome = ledger(&config, &["verify", "--key", key.trim_end()]).await;
    assert_eq!(outcome.code, cli::FAILED);
    assert!(outcome.out.contains(&format!("TAMPERED     entry {}", ids[7])), "{}", outcome.out);
    assert!(outcome.err.contains("tampered"), "{}", outcome.err);
}

/// An operator prints the proof of an entry.
async fn a_proof_is_printed_in_the_documented_form(store: TestStore) {
    let fixture = LedgerFixture::new(store).await;
    let config = configured(&fixture).await;
    let id = fixture.record(1).await.remove(0);
    let waiting = ledger(&config, &["prove", &id]).await;
    assert!(waiting.code == cli::FAILED && waiting.err.contains("not sealed yet"), "{}", waiting.err);
    fixture.sealer().seal_once().await.unwrap();
    let proof: Proof = serde_json::from_str(&ledger(&config, &["prove", &id]).await.done()).unwrap();
    medcredit::ledger::check_proof(&proof, &[fixture.verifier_key()]).unwrap();
    assert_eq!(ledger(&config, &["prove", "dis_never"]).await.code, cli::FAILED);
}

/// An operator whose checkpoint file is missing: `verify` fails until the database's checkpoint is accepted, which the ledger
/// records. A database that contradicts the file is not accepted.
async fn a_missing_checkpoint_file_is_accepted_by_an_operator(store: TestStore) {
    let fixture = LedgerFixture::new(store).await;
    let config = configured(&fixture).await;
    fixture.explain_consent().await;
    fixture.record_many(8).await;
    fixture.sealer().seal_once().await.unwrap();
    let file = fixture.checkpoint_file();
    let newest = file.read().await.unwrap();
    let accept = ["accept-checkpoint", "--reason", "the disk was lost", "--operator", "Li"];
    let said = ledger(&config, &accept).await.done();
    assert!(said.contains("nothing to accept") && said.contains("covers 10 leaves"), "{said}");
    std::fs::remove_file(file.path()).unwrap();
    assert_eq!(ledger(&config, &["verify"]).await.code, cli::FAILED);
    assert_eq!(ledger(&config, &accept[..1]).await.code, cli::WRONG_USAGE, "without a reason");
    let entries = fixture.entries().await;
    let said = ledger(&config, &accept).await.done();
    assert!(said.contains("accepted: ") && said.contains("covers 10 leaves"), "{said}");
    assert_eq!(file.read().await.unwrap(), newest);
    assert_eq!(fixture.entries().await, entries + 1);
    let opening =
        "SELECT o.body FROM ledger_openings o JOIN ledger_entries e ON e.id = o.entry_id WHERE e.type = 'operator'";
    let rows: Vec<(String,)> = fixture.store.db.read("test").fetch_all(opening, vec![]).await.unwrap();
    assert!(
        rows.len() == 1 && rows[0].0.contains("the disk was lost") && rows[0].0.contains("operator:Li"),
        "{rows:?}"
    );
    assert!(ledger(&config, &["verify"]).await.done().contains("the ledger is whole"));
    fixture.sealer().seal_once().await.unwrap();
    turn_back(&fixture.store, 10).await;
    let refused = ledger(&config, &accept).await;
    assert_eq!(refused.code, cli::FAILED);
    assert!(refused.err.contains("10 leaves") && refused.err.contains("11 leaves"), "{}", refused.err);
    assert!(refused.err.contains("medcredit recover"), "{}", refused.err);
}

/// An operator's timer, which verifies every day with the same file.
async fn a_daily_verification_continues_after_the_last_one(store: TestStore) {
    let fixture = LedgerFixture::new(store).await;
    let config = configured(&fixture).await;
    let file = fixture.directory.path().join("verified");
    let args = ["verify", "--verified", file.to_str().unwrap()];
    fixture.explain_consent().await;
    fixture.record_many(30).await;
    fixture.sealer().seal_once().await.unwrap();
    let said = ledger(&config, &args).await.done();
    assert!(said.contains("leaves       32 hashed again") && !said.contains("before "), "{said}");
    assert!(said.contains("consents     1 compared") && said.contains("the ledger is whole"), "{said}");
    let ids = fixture.record_many(12).await;
    fixture.sealer().seal_once().await.unwrap();
    let said = ledger(&config, &args).await.done();
    assert!(said.contains("before       32 leaves") && said.contains("leaves       12 hashed again"), "{said}");
    assert!(
        said.contains("consents     NOT compared") && said.contains("what was added to the ledger is whole"),
        "{said}"
    );
    // A mismatch leaves the file as it is: the next run finds it again.
    let more = fixture.record_many(5).await;
    fixture.sealer().seal_once().await.unwrap();
    vandalise(&fixture, &format!("UPDATE ledger_entries SET type = 'operator' WHERE id = '{}'", more[0])).await;
    for _ in 0..2 {
        let outcome = ledger(&config, &args).await;
        assert_eq!(outcome.code, cli::FAILED);
        assert!(outcome.out.contains("before       44 leaves") && outcome.out.contains(&more[0]), "{}", outcome.out);
    }
    assert!(!ledger(&config, &args).await.out.contains(&ids[0]));
    std::fs::write(&file, "not a checkpoint").unwrap();
    let outcome = ledger(&config, &args).await;
    assert!(outcome.code == cli::FAILED && outcome.err.contains("remove it"), "{}", outcome.err);
}
