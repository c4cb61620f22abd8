//! A bank keeps answers, and years later somebody verifies them with nothing but the file.

use std::fs;

use medcredit::{
    access::SignedRequests,
    authority::files,
    cli,
    identity::{
        KeyPair, SharedSigner, Signer, Suite,
        signature::{Covered, RequestFacts, content_digest, sign},
    },
    merkle::{Checkpoint, NoteError, NoteSigner, VerifierKey},
};
use serde_json::{Value, json};

use super::{BankMachine, line, mode};
use crate::support::{TestStore, app::TestApp, block_on, both_engines, command::medcredit};

/// A bank that has saved a grade with its proof.
async fn saved(store: TestStore) -> (TestApp, BankMachine, String) {
    let app = TestApp::start(store).await;
    sealing(&app);
    let bank = app.bank("bank-a").await;
    let id = app.consent(&bank, |_| {}).await.id.to_string();
    let machine = BankMachine::new(&app, &bank);
    let file = machine.name("grade.json");
    let outcome = machine.bank(&["grade", &id, "--save", &file]).await;
    assert!(outcome.err.contains("saved with its proof"), "{}", outcome.err);
    (app, machine, id)
}

/// Seals as a running gateway does, as long as there is one.
pub(super) fn sealing(app: &TestApp) {
    let app = std::sync::Arc::downgrade(&app.app);
    tokio::spawn(async move {
        let mut ticks = tokio::time::interval(std::time::Duration::from_millis(20));
        while let Some(app) = app.upgrade() {
            // What failed is sealed by the next one.
            let _ = app.sealer.seal_once().await;
            drop(app);
            ticks.tick().await;
        }
    });
}

fn read(machine: &BankMachine) -> Value {
    serde_json::from_slice(&fs::read(machine.path("grade.json")).unwrap()).unwrap()
}

/// Changes the saved file, verifies it without a profile, and returns what was said with the exit code.
async fn verified(machine: &BankMachine, change: impl FnOnce(&mut Value)) -> (u8, String) {
    let mut value = read(machine);
    change(&mut value);
    fs::write(machine.path("changed.json"), value.to_string()).unwrap();
    let outcome = medcredit(&["bank", "verify", &machine.name("changed.json")]).await;
    (outcome.code, outcome.out + &outcome.err)
}

both_engines! {
    a_saved_answer_verifies_offline,
    a_proof_is_kept_and_the_log_must_continue,
}

/// A bank, and its auditor without any profile.
async fn a_saved_answer_verifies_offline(store: TestStore) {
    let (app, machine, id) = saved(store).await;
    drop(app);
    assert_eq!(mode(&machine.path("grade.json")), 0o600);
    let value = read(&machine);
    assert_eq!(value["medcredit_answer"], 1);
    assert_eq!(value["request"]["method"], "GET");
    assert!(value["request"]["target_uri"].as_str().unwrap().ends_with(&format!("/v1/consents/{id}/grade")));
    assert!(!value.to_string().contains("Bearer"), "a token is no evidence");
    let (code, said) = verified(&machine, |_| {}).await;
    assert_eq!(code, cli::DONE, "{said}");
    for check in ["body", "key", "signature", "receipt", "record", "opening", "contents", "inclusion"] {
        assert!(line(&said, check).starts_with("ok"), "{said}");
    }
    assert!(line(&said, "trust").starts_with("warning"), "the file alone proves nothing: {said}");
    let kept = machine.bank(&["verify", &machine.name("grade.json")]).await.done();
    assert!(line(&kept, "trust").starts_with("ok") && kept.contains("signed and recorded"), "{kept}");
    let keys = machine.name("answers/keys.json");
    let kept = medcredit(&["bank", "verify", &machine.name("grade.json"), "--keys", &keys]).await.done();
    assert!(line(&kept, "trust").starts_with("ok"), "{kept}");
}

/// A bank that keeps checkpoints.
async fn a_proof_is_kept_and_the_log_must_continue(store: TestStore) {
    let (_app, machine, id) = saved(store).await;
    let first = machine.bank(&["proof", &machine.name("grade.json")]).await.done();
    assert!(line(&first, "log").contains("the first one saved here"), "{first}");
    fs::copy(machine.path("answers/checkpoint"), machine.path("old")).unwrap();
    for _ in 0..5 {
        machine.bank(&["grade", &id, "--save"]).await.done();
    }
    let old = machine.name("old");
    let later = machine.bank(&["proof", &machine.name("grade.json"), "--checkpoint", &old]).await.done();
    assert!(line(&later, "checkpoint").contains("continues the older one"), "{later}");
    assert!(line(&later, "log").starts_with("ok"), "{later}");
    assert_ne!(fs::read(machine.path("answers/checkpoint")).unwrap(), fs::read(machine.path("old")).unwrap());
    // The path is in the file now: the same comparison without the gateway.
    let offline = medcredit(&["bank", "verify", &machine.name("grade.json"), "--checkpoint", &old]).await.done();
    assert!(line(&offline, "checkpoint").starts_with("ok"), "{offline}");
    assert!(line(&offline, "consistency").starts_with("ok"), "{offline}");
    let proved = read(&machine)["proof"]["id"].as_str().unwrap().to_owned();
    let alone = machine.bank(&["proof", &proved]).await.done();
    assert!(line(&alone, "record").contains(&id) && line(&alone, "inclusion").starts_with("ok"), "{alone}");
}

/// Somebody who changes a saved file, a thing at a time.
#[test]
fn every_change_is_found_by_name() {
    block_on(async {
        let (_app, machine, _) = saved(TestStore::sqlite().await).await;
        let header = |name: &'static str, text: &'static str| {
            move |value: &mut Value| value["answer"]["headers"][name] = text.into()
        };
        let within = |pointer: &'static str, from: &'static str, to: &'static str| {
            move |value: &mut Value| {
                let text = value.pointer(pointer).unwrap().as_str().unwrap();
                assert!(text.contains(from), "{text}");
                let changed = text.replacen(from, to, 1);
                *value.pointer_mut(pointer).unwrap() = changed.into();
            }
        };
        type Change = Box<dyn FnOnce(&mut Value)>;
        let cases: Vec<(&str, Change)> = vec![
            ("body", Box::new(within("/answer/body", "良好", "优秀"))),
            ("body", Box::new(header("content-digest", "sha-256=:AAAA:"))),
            ("signature", Box::new(header("content-digest", "sha-256=:AAAA:"))),
            ("signature", Box::new(header("x-fapi-interaction-id", "00000000-0000-4000-8000-000000000000"))),
            ("signature", Box::new(|value| value["answer"]["status"] = 203.into())),
            ("signature", Box::new(within("/request/target_uri", "/grade", "/grade?purpose=loan_approval"))),
            ("signature", Box::new(|value| value["request"]["method"] = "POST".into())),
            ("signature", Box::new(within("/answer/headers/medcredit-disclosure", "leaf=:", "leaf=:AAAA"))),
            ("signature", Box::new(header("signature", "medcredit=:AAAA:"))),
            ("key", Box::new(|value| value["key"] = another_key())),
            ("record", Box::new(within("/proof/entry", "\"v\":1", "\"v\":2"))),
            ("record", Box::new(|value| value["proof"]["id"] = "dis_06fzgvc5pqyd2m8s4tbn0xke71".into())),
            ("inclusion", Box::new(within("/proof/opening/fields/purpose/value", "pre_loan_review", "loan_approval"))),
            ("inclusion", Box::new(|value| value["proof"]["leaf_index"] = 0.into())),
            ("inclusion", Box::new(within("/proof/checkpoint", "ledger/1\n", "ledger/1\n1"))),
            ("inclusion", Box::new(|value| value["log_keys"] = json!([]))),
            ("contents", Box::new(|value| value["client_id"] = "cli_06fzgvc5pqyd2m8s4tbn0xke71".into())),
        ];
        for (check, change) in cases {
            let (code, said) = verified(&machine, change).await;
            assert_eq!(code, cli::FAILED, "{check}: {said}");
            assert!(line(&said, check).starts_with("PROBLEM"), "{check}: {said}");
            assert!(said.contains("does not verify: "), "{said}");
        }
    });
}

/// Replaces the answer of a saved file by another one, signed with a key.
fn forge(machine: &BankMachine, key: &dyn Signer) -> String {
    let mut value = read(machine);
    let body = value["answer"]["body"].as_str().unwrap().replace("良好", "优秀");
    let digest = content_digest(body.as_bytes());
    let text = |pointer: &str| value.pointer(pointer).unwrap().as_str().unwrap().to_owned();
    let (interaction, receipt) =
        (text("/answer/headers/x-fapi-interaction-id"), text("/answer/headers/medcredit-disclosure"));
    let target = text("/request/target_uri");
    let covered = Covered {
        status: 200,
        content_digest: &digest,
        interaction_id: &interaction,
        disclosure: &receipt,
        request: RequestFacts { method: "GET", target_uri: &target, digest: None, signature: None },
    };
    let fields = sign(&covered, key, "2026-04-01T01:00:00Z".parse().unwrap()).unwrap();
    value["key"] = serde_json::to_value(key.public_key().jwk()).unwrap();
    value["answer"]["body"] = body.into();
    value["proof"] = Value::Null;
    for (name, text) in [("content-digest", digest), ("signature-input", fields.input), ("signature", fields.signature)]
    {
        value["answer"]["headers"][name] = text.into();
    }
    fs::write(machine.path("forged.json"), value.to_string()).unwrap();
    machine.name("forged.json")
}

/// Somebody who forges an answer whole: with a key of his own, or with the gateway's token key, which is published too.
#[test]
fn a_forgery_that_fits_itself_is_found_by_the_keys_a_bank_keeps() {
    block_on(async {
        let (app, machine, _) = saved(TestStore::sqlite().await).await;
        let own = KeyPair::from_pkcs8(Suite::Es256, &KeyPair::generate(Suite::Es256).unwrap()).unwrap();
        let token = app.app.keys.load().token.clone();
        let kept = machine.name("answers/keys.json");
        for (key, says) in [
            (&own as &dyn Signer, "is not one of the gateway's keys that you saved"),
            (&*token, "is the gateway's for token_signing, and not for answer_signing: what it signed is a forgery"),
        ] {
            let forged = forge(&machine, key);
            let alone = medcredit(&["bank", "verify", &forged]).await.done();
            assert!(line(&alone, "trust").starts_with("warning"), "{alone}");
            let compared = medcredit(&["bank", "verify", &forged, "--keys", &kept]).await;
            assert_eq!(compared.code, cli::FAILED, "{}", compared.out);
            let trust = line(&compared.out, "trust");
            assert!(trust.starts_with("PROBLEM") && trust.contains(says), "{}", compared.out);
            // With the profile, whose directory has the same keys.
            assert!(machine.refused(&["verify", &forged]).await.contains(says));
        }
        // A file that says itself that its key is for tokens.
        let (code, said) = verified(&machine, |value| value["key"]["medcredit_purpose"] = "token_signing".into()).await;
        assert_eq!(code, cli::FAILED, "{said}");
        assert!(line(&said, "key").contains("is the gateway's for token_signing"), "{said}");
    });
}

/// Somebody who signs a checkpoint with another of the gateway's keys.
#[test]
fn a_checkpoint_by_a_key_for_something_else_is_found() {
    block_on(async {
        let (_app, machine, _) = saved(TestStore::sqlite().await).await;
        let relabelled = |value: &mut Value| value["log_keys"][0]["medcredit_purpose"] = "answer_signing".into();
        let (code, said) = verified(&machine, relabelled).await;
        assert_eq!(code, cli::FAILED, "{said}");
        assert!(line(&said, "inclusion").starts_with("PROBLEM"), "{said}");
        let file = machine.path("answers/keys.json");
        let before = fs::read_to_string(&file).unwrap();
        fs::write(&file, before.replace("\"ledger_signing\"", "\"answer_signing\"")).unwrap();
        let said = machine.refused(&["verify", &machine.name("grade.json")]).await;
        assert!(line(&said, "trust").contains("and not for ledger_signing"), "{said}");
        // A gateway that says another purpose than before is not believed.
        let said = machine.refused(&["doctor"]).await;
        assert!(line(&said, "keys").contains("a key never changes its purpose"), "{said}");
        // Keys that were saved before they had purposes get theirs with the next connection.
        let unlabelled: String = before.lines().filter(|line| !line.contains("medcredit_purpose")).collect();
        fs::write(&file, unlabelled.replace(",    }", "    }")).unwrap();
        let said = machine.refused(&["verify", &machine.name("grade.json")]).await;
        assert!(line(&said, "trust").contains("does not say what key"), "{said}");
        machine.bank(&["doctor"]).await.done();
        machine.bank(&["verify", &machine.name("grade.json")]).await.done();
        assert_eq!(fs::read_to_string(&file).unwrap(), before);
    });
}

/// The gateway's own ledger key under a log's name.
#[derive(Debug)]
struct Forger(VerifierKey, SharedSigner);

impl NoteSigner for Forger {
    fn key(&self) -> &VerifierKey {
        &self.0
    }

    fn sign(&self, text: &[u8]) -> Result<[u8; 64], NoteError> {
        self.1.sign(text).unwrap().try_into().map_err(|_| NoteError::Key)
    }
}

/// I7: a bank that holds an older checkpoint, and a gateway whose log is not the one of then.
#[test]
fn a_log_that_was_rewritten_or_cut_is_found_and_the_old_checkpoint_stays() {
    block_on(async {
        let (app, machine, _) = saved(TestStore::sqlite().await).await;
        let file = machine.name("grade.json");
        machine.bank(&["proof", &file]).await.done();
        let signer = app.app.keys.load().ledger.clone();
        let origin = read(&machine)["proof"]["log"].as_str().unwrap().to_owned();
        let forger = Forger(VerifierKey::new(&origin, signer.public_key().raw().try_into().unwrap()).unwrap(), signer);
        for (size, why) in [(1, "was rewritten"), (10_000, "its end was cut off")] {
            let note = Checkpoint { origin: origin.clone(), size, root: [9; 32] }.sign(&forger).unwrap();
            fs::write(machine.path("answers/checkpoint"), &note).unwrap();
            let said = machine.refused(&["proof", &file]).await;
            assert!(line(&said, "log").starts_with("PROBLEM") && said.contains(why), "{said}");
            assert_eq!(fs::read_to_string(machine.path("answers/checkpoint")).unwrap(), note, "it is the evidence");
            let said = machine.refused(&["doctor"]).await;
            assert!(line(&said, "log").starts_with("PROBLEM") && said.contains(why), "{said}");
        }
        let own = read(&machine)["proof"]["tree_size"].as_u64().unwrap();
        let two = Checkpoint { origin: origin.clone(), size: own, root: [9; 32] }.sign(&forger).unwrap();
        fs::write(machine.path("two"), two).unwrap();
        let said = machine.refused(&["verify", &file, "--checkpoint", &machine.name("two")]).await;
        assert!(line(&said, "checkpoint").contains("two histories"), "{said}");
        let foreign = Checkpoint { origin: "localhost/ledger/2".into(), size: 1, root: [9; 32] };
        let key = VerifierKey::new("localhost/ledger/2", *forger.0.public()).unwrap();
        fs::write(machine.path("two"), foreign.sign(&Forger(key, forger.1.clone())).unwrap()).unwrap();
        let said = machine.refused(&["proof", &file, "--checkpoint", &machine.name("two")]).await;
        assert!(said.contains("is of log localhost/ledger/2"), "{said}");
    });
}

fn another_key() -> Value {
    let key = KeyPair::from_pkcs8(Suite::Es256, &KeyPair::generate(Suite::Es256).unwrap()).unwrap();
    serde_json::to_value(key.public_key().jwk()).unwrap()
}

/// A bank that gives the name of a file it has.
#[test]
fn evidence_is_not_written_over_and_nothing_is_asked_for_it() {
    block_on(async {
        let (_app, machine, id) = saved(TestStore::sqlite().await).await;
        let before = fs::read(machine.path("grade.json")).unwrap();
        let said = machine.refused(&["grade", &id, "--save", &machine.name("grade.json")]).await;
        assert!(said.contains("evidence is not overwritten"), "{said}");
        assert_eq!(fs::read(machine.path("grade.json")).unwrap(), before);
        for (text, why) in
            [("{}", "is not a saved answer"), ("{\"medcredit_answer\": 2}", "has format version 2"), ("", "EOF")]
        {
            fs::write(machine.path("other.json"), text).unwrap();
            let said = machine.refused(&["verify", &machine.name("other.json")]).await;
            assert!(said.contains(why), "{said}");
        }
    });
}

/// A bank whose requests must be signed.
#[test]
fn a_signed_request_is_part_of_the_evidence() {
    block_on(async {
        let app = TestApp::start(TestStore::sqlite().await).await;
        sealing(&app);
        let pkcs8 = KeyPair::generate(Suite::Es256).unwrap();
        let jwk = KeyPair::from_pkcs8(Suite::Es256, &pkcs8).unwrap().public_key().jwk();
        let bank = app
            .bank_with("bank-a", |new| {
                new.jwks = Some(json!({ "keys": [jwk] }).to_string());
                new.signed_requests = SignedRequests::Required;
            })
            .await;
        let id = app.consent(&bank, |_| {}).await.id.to_string();
        let machine = BankMachine::new(&app, &bank);
        let file = machine.name("grade.json");
        assert!(machine.refused(&["grade", &id]).await.contains("401 request_signature_required"));
        machine.put("signing.key", files::PRIVATE_KEY, &pkcs8);
        machine.profile(&app.origin, "signing_key = 'signing.key'\nsign_requests = true");
        machine.bank(&["grade", &id, "--save", &file]).await.done();
        let input = read(&machine)["request"]["headers"]["signature-input"].as_str().unwrap().to_owned();
        assert!(input.contains("fapi-2-request"), "{input}");
        let (code, said) = verified(&machine, |_| {}).await;
        assert_eq!(code, cli::DONE, "{said}");
        let (code, said) = verified(&machine, |value| value["request"]["headers"] = json!({})).await;
        assert_eq!(code, cli::FAILED, "{said}");
        assert!(line(&said, "signature").starts_with("PROBLEM"), "{said}");
        let asked = ["consent", "request", "--uscc", "91330302MA2AB3C47J", "--codes", "H33030200001"];
        let rest = ["--permissions", "grade", "--purpose", "loan_approval", "--product", "医保信用贷"];
        machine.bank(&[&asked[..], &rest].concat()).await.done();
        machine.bank(&["doctor"]).await.done();
    });
}
