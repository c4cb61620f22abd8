//! `medcredit score verify-package`: a platform verifies a package with the published keys alone, and every change on the way
//! is found.

use std::{fs, path::PathBuf, sync::Arc};

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use medcredit::{
    cli,
    domain::canonical::canonical,
    identity::{Jwk, KeyPair, Signer, Suite},
    push::{Package, platform::Platform},
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{export, platform, round};
use crate::support::{TestStore, block_on, both_engines, command::medcredit};

/// A package at a platform: a folder, and the keys of the gateway.
struct Received {
    place: tempfile::TempDir,
    key: Arc<KeyPair>,
}

impl Received {
    fn new(package: &Package, key: &Arc<KeyPair>) -> Self {
        let received = Self { place: tempfile::tempdir().unwrap(), key: key.clone() };
        fs::create_dir(received.place.path().join("package")).unwrap();
        received.write(&package.data_name, &package.data);
        received.write("manifest.json", &package.manifest);
        received.write("manifest.jws", package.signature.as_bytes());
        received.keep(&[key]);
        received
    }

    fn path(&self, name: &str) -> PathBuf {
        self.place.path().join("package").join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path(name), bytes).unwrap();
    }

    /// Stores the keys of the gateway.
    fn keep(&self, keys: &[&KeyPair]) {
        self.keep_for(Some("answer_signing"), keys);
    }

    fn keep_for(&self, purpose: Option<&str>, keys: &[&KeyPair]) {
        let purpose = purpose.map(str::to_owned);
        let jwk = |key: &&KeyPair| Jwk { purpose: purpose.clone(), ..key.public_key().jwk() };
        let set = json!({ "keys": keys.iter().map(jwk).collect::<Vec<_>>() });
        fs::write(self.place.path().join("keys.json"), set.to_string()).unwrap();
    }

    /// Replaces the manifest by a changed one with a valid signature.
    fn sign(&self, change: impl FnOnce(&mut Value)) {
        let mut manifest: Value = serde_json::from_slice(&fs::read(self.path("manifest.json")).unwrap()).unwrap();
        change(&mut manifest);
        self.sign_bytes(canonical(&manifest).unwrap().as_bytes());
    }

    fn sign_bytes(&self, manifest: &[u8]) {
        self.write("manifest.json", manifest);
        let header = json!({ "alg": "ES256", "kid": self.key.key_id(), "typ": "medcredit-package+jws" });
        self.write("manifest.jws", jws(&self.key, &header, manifest).as_bytes());
    }

    /// The exit code and the output.
    async fn verified(&self) -> (u8, String) {
        let [folder, keys] = ["package", "keys.json"].map(|name| self.place.path().join(name));
        let line = ["score", "verify-package", folder.to_str().unwrap(), "--keys", keys.to_str().unwrap()];
        let outcome = medcredit(&line).await;
        (outcome.code, outcome.out + &outcome.err)
    }

    /// Expects that only this check finds a problem, with this text.
    async fn refused(&self, check: &str, said: &str) {
        let (code, text) = self.verified().await;
        assert_eq!(code, cli::FAILED, "{text}");
        assert!(
            text.lines().any(|line| line.starts_with(&format!("PROBLEM  {check} ")) && line.contains(said)),
            "{check}, {said}: {text}"
        );
        assert_eq!(text.matches("PROBLEM").count(), 1, "{text}");
        assert!(text.contains(&format!("does not verify: {check}")), "{text}");
        assert!(!text.contains("The package is whole"), "{text}");
    }
}

/// A detached JWS (RFC 7515), made without any code of the program.
fn jws(key: &KeyPair, header: &Value, payload: &[u8]) -> String {
    let header = BASE64URL_NOPAD.encode(header.to_string().as_bytes());
    let signature = key.sign(format!("{header}.{}", BASE64URL_NOPAD.encode(payload)).as_bytes()).unwrap();
    format!("{header}..{}", BASE64URL_NOPAD.encode(&signature))
}

fn another_key(suite: Suite) -> KeyPair {
    KeyPair::from_pkcs8(suite, &KeyPair::generate(suite).unwrap()).unwrap()
}

/// A package of the round for a platform.
async fn package(store: TestStore, to: &Platform) -> (Package, Arc<KeyPair>) {
    let (bureau, key, run) = round(store).await;
    (export(&bureau, &key, &run, to).await.unwrap().package, key)
}

/// A package for the city's platform, for tests that do not depend on the engine.
fn city_package() -> (Package, Arc<KeyPair>) {
    block_on(async { package(TestStore::sqlite().await, &platform("city-credit-platform")).await })
}

both_engines! {
    an_unchanged_package_verifies_and_lists_the_checks,
    a_grade_changed_on_the_way_is_found,
}

/// A platform verifies a package in either format.
async fn an_unchanged_package_verifies_and_lists_the_checks(store: TestStore) {
    let (bureau, key, run) = round(store).await;
    let mut lines = platform("oujiang-score");
    lines.kinds.push("medical_institution".into());
    let shipped =
        ["city-credit-platform", "national-insurance-platform", "credit-china", "enterprise-publicity"].map(platform);
    for to in shipped.into_iter().chain([lines]) {
        let package = export(&bureau, &key, &run, &to).await.unwrap().package;
        let (code, text) = Received::new(&package, &key).verified().await;
        assert_eq!(code, cli::DONE, "{text}");
        assert!(text.starts_with(&format!("medical_institution of 2025-H2 for {}, made 2026-04-01", to.id)), "{text}");
        assert!(text.contains(&format!("round {run}, graded by wenzhou-951 version 1")), "{text}");
        assert_eq!(
            text.contains("grades mapped to national-cred-lv (cred-lv), by the table"),
            to.mapping.is_some(),
            "{text}"
        );
        let checks: Vec<_> =
            text.lines().filter_map(|line| line.strip_prefix("ok ")?.split_whitespace().next()).collect();
        assert_eq!(checks, ["key", "signature", "manifest", "data", "records", "folder"]);
        assert!(text.contains(&HEXLOWER.encode(&Sha256::digest(&package.manifest))), "{text}");
        assert!(text.contains(": 30 records") && text.contains("The package is whole, as signed"), "{text}");
    }
}

/// An administrator corrects a table by hand before sending it on.
async fn a_grade_changed_on_the_way_is_found(store: TestStore) {
    let (package, key) = package(store, &platform("national-insurance-platform")).await;
    let received = Received::new(&package, &key);
    let text = String::from_utf8(package.data).unwrap();
    let changed = text.replacen("excellent,优秀", "goodgoodg,良好", 1);
    assert_ne!(changed, text);
    received.write(&package.data_name, changed.as_bytes());
    let refused = received.verified().await.1;
    assert!(refused.contains("PROBLEM  data") && refused.contains("it was changed"), "{refused}");
}

/// An attacker changes bytes of the data.
#[test]
fn changed_data_is_found_wherever_it_was_changed() {
    let (package, key) = city_package();
    let last = package.data.len() - 1;
    block_on(async {
        for at in (0..last).step_by(97).chain([last]) {
            let received = Received::new(&package, &key);
            let mut data = package.data.clone();
            data[at] ^= 1;
            received.write(&package.data_name, &data);
            let (code, text) = received.verified().await;
            assert_eq!(code, cli::FAILED, "byte {at}: {text}");
            assert!(text.contains("PROBLEM  data") && text.contains("its SHA-256 is"), "byte {at}: {text}");
            assert!(text.contains("not counted"), "records of another file are not counted: {text}");
        }
        let received = Received::new(&package, &key);
        received.write(&package.data_name, &package.data[..last]);
        received.refused("data", &format!("it has {last} bytes, and the manifest says {}", last + 1)).await;
        received.write(&package.data_name, &[&package.data[..], b"\n"].concat());
        received.refused("data", &format!("it has {} bytes, and the manifest says {}", last + 2, last + 1)).await;
    });
}

/// An attacker changes a bit of any byte of the manifest or its signature.
#[test]
fn a_bit_changed_in_the_manifest_or_its_signature_is_found() {
    let (package, key) = city_package();
    block_on(async {
        let received = Received::new(&package, &key);
        for (name, bytes) in
            [("manifest.json", package.manifest.clone()), ("manifest.jws", package.signature.into_bytes())]
        {
            for at in 0..bytes.len() {
                let mut changed = bytes.clone();
                changed[at] ^= 1 << (at % 7);
                received.write(name, &changed);
                let (code, text) = received.verified().await;
                assert_eq!(code, cli::FAILED, "{name}, byte {at}: {text}");
                assert!(
                    text.contains("the manifest that lists it does not verify"),
                    "nothing of it is believed: {text}"
                );
                assert!(!text.contains("for city-credit-platform"), "nothing of it is shown: {text}");
            }
            received.write(name, &[&bytes[..], b"\n"].concat());
            assert_eq!(received.verified().await.0, cli::FAILED, "{name} with a line's end after it");
            received.write(name, &bytes);
        }
        assert_eq!(received.verified().await.0, cli::DONE, "as it was, it verifies");
    });
}

/// An attacker signs: with another key, in the name of the gateway's key, or with a signature made for another purpose.
#[test]
fn a_signature_by_another_key_or_for_another_purpose_is_found() {
    let (package, key) = city_package();
    block_on(async {
        let received = Received::new(&package, &key);
        let stranger = another_key(Suite::Es256);
        received.keep(&[&stranger, &another_key(Suite::Ed25519)]);
        received.refused("key", "none of the 2 keys given is the one that the signature names").await;
        received.keep(&[&key]);
        let header = |name: &str, value: &str| {
            let mut header = json!({ "alg": "ES256", "kid": key.key_id(), "typ": "medcredit-package+jws" });
            header[name] = value.into();
            header
        };
        let usual = header("alg", "ES256");
        received.write("manifest.jws", jws(&stranger, &usual, &package.manifest).as_bytes());
        received.refused("signature", "is not, byte for byte, what that key signed").await;
        for (changed, said) in [
            (header("alg", "none"), "claims the algorithm \"none\", but its key is for ES256 only"),
            (header("alg", "Ed25519"), "claims the algorithm \"Ed25519\""),
            (header("typ", "at+jwt"), "its `typ` is not that of a package"),
            (header("crit", "b64"), "its header must have exactly the members"),
            (json!({ "alg": "ES256", "kid": key.key_id() }), "its header must have exactly the members"),
        ] {
            received.write("manifest.jws", jws(&key, &changed, &package.manifest).as_bytes());
            received.refused("key", said).await;
        }
        received.write("manifest.jws", jws(&key, &usual, &package.manifest).as_bytes());
        // Signed well and by a published key, which is for tokens.
        received.keep_for(Some("token_signing"), &[&key]);
        received
            .refused("key", "is the gateway's for token_signing, and packages are signed by its answer_signing")
            .await;
        received.keep_for(None, &[&key]);
        received.refused("key", "does not say what the key").await;
        received.keep(&[&key]);
        assert_eq!(received.verified().await.0, cli::DONE, "rightly signed it verifies");
    });
}

/// A file is lost on the way, or added.
#[test]
fn a_file_that_is_missing_or_was_added_is_found() {
    let (package, key) = city_package();
    let data = package.data_name.as_str();
    block_on(async {
        let received = Received::new(&package, &key);
        fs::remove_file(received.path(data)).unwrap();
        received.refused("data", &format!("{data}: the manifest lists it, and it is missing")).await;
        for added in [".hidden", "medical_institution-2025-H1.csv", "manifest.json.old"] {
            let received = Received::new(&package, &key);
            received.write(added, b"");
            received.refused("folder", &format!("it contains unsigned files: {added:?}")).await;
        }
        let received = Received::new(&package, &key);
        fs::create_dir(received.path("more")).unwrap();
        received.refused("folder", "\"more\"").await;

        let received = Received::new(&package, &key);
        let elsewhere = received.place.path().join("elsewhere.csv");
        fs::rename(received.path(data), &elsewhere).unwrap();
        std::os::unix::fs::symlink(&elsewhere, received.path(data)).unwrap();
        received.refused("data", "it is not a regular file").await;

        for missing in ["manifest.json", "manifest.jws"] {
            let received = Received::new(&package, &key);
            fs::remove_file(received.path(missing)).unwrap();
            let (code, text) = received.verified().await;
            assert_eq!(code, cli::FAILED);
            assert!(text.contains(missing) && text.contains("that can be read"), "{text}");
        }
    });
}

/// The signature is valid, but the manifest does not match the data.
#[test]
fn a_signed_manifest_that_does_not_match_the_data_is_found() {
    let (package, key) = city_package();
    let first = |manifest: &mut Value, name: &str, value: Value| manifest["files"][0][name] = value;
    block_on(async {
        for (claimed, found) in [(31, 30), (29, 30), (0, 30)] {
            let received = Received::new(&package, &key);
            received.sign(|manifest| first(manifest, "records", claimed.into()));
            received.refused("records", &format!("it has {found} records, and the manifest says {claimed}")).await;
        }
        let received = Received::new(&package, &key);
        received.sign(|manifest| first(manifest, "sha256", "00".into()));
        received.refused("data", "and the manifest says 00").await;
        for (name, said) in [
            ("../package/medical_institution-2025-H2.csv", "is not a data file of the package's folder"),
            ("manifest.json", "is not a data file of the package's folder"),
            ("..", "is not a data file of the package's folder"),
        ] {
            let received = Received::new(&package, &key);
            received.sign(|manifest| first(manifest, "name", name.into()));
            received.refused("manifest", said).await;
        }
        let received = Received::new(&package, &key);
        received.sign(|manifest| manifest["files"] = json!([manifest["files"][0], manifest["files"][0]]));
        received.refused("manifest", "twice").await;
        received.sign(|manifest| manifest["format"] = "medcredit-package/9".into());
        received
            .refused(
                "manifest",
                "has the format \"medcredit-package/9\", but this program supports medcredit-package/1",
            )
            .await;
        let spaced = [b" ", &package.manifest[..]].concat();
        received.sign_bytes(&spaced);
        received.refused("manifest", "is not in canonical form").await;
        received.sign_bytes(&package.manifest);
        assert_eq!(received.verified().await.0, cli::DONE, "as it was, it verifies");
    });
}

/// An XML file as a package has it, with some records.
fn xml(records: &str) -> Vec<u8> {
    let head = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ExchangeMessage>\n<Header></Header>\n<Body>\n";
    format!("{head}{records}</Body>\n</ExchangeMessage>\n").into_bytes()
}

/// A signed file with the right digest is not of the format of its name.
#[test]
fn data_of_another_format_than_its_name_is_found() {
    let (package, key) = city_package();
    block_on(async {
        for (name, data, said) in [
            ("data.ndjson", &b"{\"a\":1}\n{\"a\":\n"[..], "line 2 is not a complete JSON object"),
            ("data.ndjson", b"{\"a\":1}\n{\"a\":2}", "line 2 is not a complete JSON object"),
            ("data.ndjson", b"{\"a\":1}\n\n{\"a\":2}\n", "line 2 is not a complete JSON object"),
            ("data.csv", b"a,b\n1,2\n3\n", "it is not CSV"),
            ("data.txt", b"<a/>", "ends neither in .ndjson nor in .csv nor in .xml"),
            ("data.xml", b"<a/>", "it is not complete"),
            (
                "data.xml",
                &xml("<fields><a>1</a></fields>\n<fields><a>2</a>\n</fields>\n")[..],
                "line 6 is not a complete record",
            ),
            ("data.xml", &[xml("<fields></fields>\n"), b"<fields></fields>\n".to_vec()].concat(), "something follows"),
            ("data.xml", &xml("<fields></fields>\n"), "it has 1 records, and the manifest says 2"),
        ] {
            let received = Received::new(&package, &key);
            fs::remove_file(received.path(&package.data_name)).unwrap();
            received.write(name, data);
            let sha256 = HEXLOWER.encode(&Sha256::digest(data));
            let file = json!({ "name": name, "sha256": sha256, "bytes": data.len(), "records": 2 });
            received.sign(|manifest| manifest["files"] = json!([file]));
            received.refused("records", said).await;
        }
    });
}

/// An operator gives a path that is no package, or a file without keys.
#[test]
fn wrong_usage_explains_the_arguments() {
    let (package, key) = city_package();
    block_on(async {
        let received = Received::new(&package, &key);
        let keys = received.place.path().join("keys.json");
        let manifest = received.path("manifest.json");
        let outcome =
            medcredit(&["score", "verify-package", manifest.to_str().unwrap(), "--keys", keys.to_str().unwrap()]).await;
        assert_eq!(outcome.code, cli::WRONG_USAGE, "{}", outcome.err);
        assert!(outcome.err.contains("is not a folder: give the one that `score export` wrote"), "{}", outcome.err);
        received.keep(&[]);
        let (code, text) = received.verified().await;
        assert_eq!(code, cli::FAILED);
        assert!(text.contains("keys.json: none of its keys is a public signature key"), "{text}");
    });
}
