//! `medcredit score verify-package`: a platform checks what it received with nothing but the published keys, and whatever was
//! changed on the way is found.

use std::{fs, path::PathBuf, sync::Arc};

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use medcredit::{
    cli,
    domain::canonical::canonical,
    identity::{KeyPair, Signer, Suite},
    push::{Package, Receiver},
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{export, receiver, round};
use crate::support::{TestStore, block_on, both_engines, command::medcredit};

/// A package as a platform has it: a folder, and the keys it keeps beside it.
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

    /// What the platform keeps of the gateway's keys.
    fn keep(&self, keys: &[&KeyPair]) {
        let set = json!({ "keys": keys.iter().map(|key| key.public_key().jwk()).collect::<Vec<_>>() });
        fs::write(self.place.path().join("keys.json"), set.to_string()).unwrap();
    }

    /// Puts another manifest in the place of the one there, rightly signed.
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

    /// The exit code and everything that was said.
    async fn verified(&self) -> (u8, String) {
        let [folder, keys] = ["package", "keys.json"].map(|name| self.place.path().join(name));
        let line = ["score", "verify-package", folder.to_str().unwrap(), "--keys", keys.to_str().unwrap()];
        let outcome = medcredit(&line).await;
        (outcome.code, outcome.out + &outcome.err)
    }

    /// Expects that a check, and no other, finds a problem, and says something.
    async fn refused(&self, check: &str, said: &str) {
        let (code, text) = self.verified().await;
        assert_eq!(code, cli::FAILED, "{text}");
        assert!(
            text.lines().any(|line| line.starts_with(&format!("PROBLEM  {check} ")) && line.contains(said)),
            "{check}, {said}: {text}"
        );
        assert_eq!(text.matches("PROBLEM").count(), 1, "{text}");
        assert!(text.contains(&format!("does not verify: {check}")), "{text}");
        assert!(!text.contains("This is what was signed"), "{text}");
    }
}

/// A detached JWS as RFC 7515 has it, made without a line of the program's.
fn jws(key: &KeyPair, header: &Value, payload: &[u8]) -> String {
    let header = BASE64URL_NOPAD.encode(header.to_string().as_bytes());
    let signature = key.sign(format!("{header}.{}", BASE64URL_NOPAD.encode(payload)).as_bytes()).unwrap();
    format!("{header}..{}", BASE64URL_NOPAD.encode(&signature))
}

fn another_key(suite: Suite) -> KeyPair {
    KeyPair::from_pkcs8(suite, &KeyPair::generate(suite).unwrap()).unwrap()
}

/// A package of the round for a receiver.
async fn package(store: TestStore, to: &Receiver) -> (Package, Arc<KeyPair>) {
    let (bureau, key, run) = round(store).await;
    (export(&bureau, &key, &run, to).await.unwrap().package, key)
}

/// One for the city's platform, where the store is not what is tested.
fn city_package() -> (Package, Arc<KeyPair>) {
    block_on(async { package(TestStore::sqlite().await, &receiver("city-credit-platform")).await })
}

both_engines! {
    a_package_as_it_was_made_verifies_and_says_what_was_checked,
    a_grade_changed_on_the_way_is_found,
}

/// A platform verifies what it received, in either form.
async fn a_package_as_it_was_made_verifies_and_says_what_was_checked(store: TestStore) {
    let (bureau, key, run) = round(store).await;
    let mut lines = receiver("oujiang-score");
    lines.kinds.push("medical_institution".into());
    for to in [receiver("city-credit-platform"), receiver("national-insurance-platform"), lines] {
        let package = export(&bureau, &key, &run, &to).await.unwrap().package;
        let (code, text) = Received::new(&package, &key).verified().await;
        assert_eq!(code, cli::DONE, "{text}");
        assert!(text.starts_with(&format!("medical_institution of 2025-H2 for {}, made 2026-04-01", to.id)), "{text}");
        assert!(text.contains(&format!("round {run}, graded by wenzhou-951 version 1")), "{text}");
        assert_eq!(
            text.contains("grades in the words of national-cred-lv (cred-lv), by the table"),
            to.mapping.is_some(),
            "{text}"
        );
        let checks: Vec<_> =
            text.lines().filter_map(|line| line.strip_prefix("ok ")?.split_whitespace().next()).collect();
        assert_eq!(checks, ["key", "signature", "manifest", "data", "records", "folder"]);
        assert!(text.contains(&HEXLOWER.encode(&Sha256::digest(&package.manifest))), "{text}");
        assert!(text.contains(": 30 records") && text.contains("This is what was signed, whole"), "{text}");
    }
}

/// An administrator corrects a table by hand before sending it on.
async fn a_grade_changed_on_the_way_is_found(store: TestStore) {
    let (package, key) = package(store, &receiver("national-insurance-platform")).await;
    let received = Received::new(&package, &key);
    let text = String::from_utf8(package.data).unwrap();
    let changed = text.replacen("excellent,优秀", "goodgoodg,良好", 1);
    assert_ne!(changed, text);
    received.write(&package.data_name, changed.as_bytes());
    let refused = received.verified().await.1;
    assert!(refused.contains("PROBLEM  data") && refused.contains("it was changed"), "{refused}");
}

/// Somebody on the way changes bytes of the data.
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
        received.refused("data", &format!("it has {last} bytes, and the manifest tells {}", last + 1)).await;
        received.write(&package.data_name, &[&package.data[..], b"\n"].concat());
        received.refused("data", &format!("it has {} bytes, and the manifest tells {}", last + 2, last + 1)).await;
    });
}

/// Somebody on the way changes the manifest or its signature, a bit of any byte.
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
                    text.contains("the manifest that tells of it does not verify"),
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

/// Somebody else signs: with a key of their local_ca, in the name of the gateway's, or with what another matter's signature is.
#[test]
fn a_signature_by_another_key_or_of_another_matter_is_found() {
    let (package, key) = city_package();
    block_on(async {
        let received = Received::new(&package, &key);
        let stranger = another_key(Suite::Es256);
        received.keep(&[&stranger, &another_key(Suite::Ed25519)]);
        received.refused("key", "none of the 2 keys given is the one the signature names").await;
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
            (header("alg", "none"), "said to be by \"none\", and its key is good for ES256 only"),
            (header("alg", "Ed25519"), "said to be by \"Ed25519\""),
            (header("typ", "at+jwt"), "by its typ it is of something else than a package"),
            (header("crit", "b64"), "its header is not alg, kid and typ"),
            (json!({ "alg": "ES256", "kid": key.key_id() }), "its header is not alg, kid and typ"),
        ] {
            received.write("manifest.jws", jws(&key, &changed, &package.manifest).as_bytes());
            received.refused("key", said).await;
        }
        received.write("manifest.jws", jws(&key, &usual, &package.manifest).as_bytes());
        assert_eq!(received.verified().await.0, cli::DONE, "rightly signed it verifies");
    });
}

/// A file is lost on the way, or one comes along.
#[test]
fn a_file_that_is_missing_or_was_added_is_found() {
    let (package, key) = city_package();
    let data = package.data_name.as_str();
    block_on(async {
        let received = Received::new(&package, &key);
        fs::remove_file(received.path(data)).unwrap();
        received.refused("data", &format!("{data}: the manifest names it, and it is not there")).await;
        for added in [".hidden", "medical_institution-2025-H1.csv", "manifest.json.old"] {
            let received = Received::new(&package, &key);
            received.write(added, b"");
            received.refused("folder", &format!("nobody signed for what else is in it: {added:?}")).await;
        }
        let received = Received::new(&package, &key);
        fs::create_dir(received.path("more")).unwrap();
        received.refused("folder", "\"more\"").await;

        let received = Received::new(&package, &key);
        let elsewhere = received.place.path().join("elsewhere.csv");
        fs::rename(received.path(data), &elsewhere).unwrap();
        std::os::unix::fs::symlink(&elsewhere, received.path(data)).unwrap();
        received.refused("data", "it is no plain file").await;

        for missing in ["manifest.json", "manifest.jws"] {
            let received = Received::new(&package, &key);
            fs::remove_file(received.path(missing)).unwrap();
            let (code, text) = received.verified().await;
            assert_eq!(code, cli::FAILED);
            assert!(text.contains(missing) && text.contains("that can be read"), "{text}");
        }
    });
}

/// The signature is good, and the manifest says what is not so.
#[test]
fn a_signed_manifest_that_tells_what_is_not_so_is_found() {
    let (package, key) = city_package();
    let first = |manifest: &mut Value, name: &str, value: Value| manifest["files"][0][name] = value;
    block_on(async {
        for (told, found) in [(31, 30), (29, 30), (0, 30)] {
            let received = Received::new(&package, &key);
            received.sign(|manifest| first(manifest, "records", told.into()));
            received.refused("records", &format!("it has {found} records, and the manifest tells {told}")).await;
        }
        let received = Received::new(&package, &key);
        received.sign(|manifest| first(manifest, "sha256", "00".into()));
        received.refused("data", "and the manifest tells 00").await;
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
            .refused("manifest", "is of the form \"medcredit-package/9\", and this program knows medcredit-package/1")
            .await;
        let spaced = [b" ", &package.manifest[..]].concat();
        received.sign_bytes(&spaced);
        received.refused("manifest", "is not in canonical form").await;
        received.sign_bytes(&package.manifest);
        assert_eq!(received.verified().await.0, cli::DONE, "as it was, it verifies");
    });
}

/// What is signed and of the right digest is still no table, or has lines that are no records.
#[test]
fn data_that_is_not_what_its_name_says_is_found() {
    let (package, key) = city_package();
    block_on(async {
        for (name, data, said) in [
            ("data.ndjson", &b"{\"a\":1}\n{\"a\":\n"[..], "line 2 is not a whole object of JSON"),
            ("data.ndjson", b"{\"a\":1}\n{\"a\":2}", "line 2 is not a whole object of JSON"),
            ("data.ndjson", b"{\"a\":1}\n\n{\"a\":2}\n", "line 2 is not a whole object of JSON"),
            ("data.csv", b"a,b\n1,2\n3\n", "it is no CSV"),
            ("data.xml", b"<a/>", "ends neither with .ndjson nor with .csv"),
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

/// An operator names what is no package, or keys that are none.
#[test]
fn wrong_usage_says_what_to_give() {
    let (package, key) = city_package();
    block_on(async {
        let received = Received::new(&package, &key);
        let keys = received.place.path().join("keys.json");
        let manifest = received.path("manifest.json");
        let outcome =
            medcredit(&["score", "verify-package", manifest.to_str().unwrap(), "--keys", keys.to_str().unwrap()]).await;
        assert_eq!(outcome.code, cli::WRONG_USAGE, "{}", outcome.err);
        assert!(outcome.err.contains("is no folder: give the one that `score export` made"), "{}", outcome.err);
        received.keep(&[]);
        let (code, text) = received.verified().await;
        assert_eq!(code, cli::FAILED);
        assert!(text.contains("keys.json: none of its keys is a public signature key"), "{text}");
    });
}
