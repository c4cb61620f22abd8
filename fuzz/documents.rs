//! Documents that operators and partners write: models, catalogues, tables, settings, key sets, packages.

use std::{path::Path, sync::LazyLock};

use medcredit::{
    config::{self, Config},
    domain::Kinds,
    grading::Library,
    identity::assertion::ClientKeys,
    push::{
        Detached, Manifest,
        platform::{CheckedPlatform, Reference, SHIPPED},
    },
    scoring::{Catalogue, Mapping, Model, shipped},
};

use crate::{edits_of, with_text};

/// The text of a shipped table.
fn shipped_text(tables: &[(&str, &str)], ends: &str) -> Vec<u8> {
    tables.iter().find(|(name, _)| name.ends_with(ends)).map(|(_, text)| text.as_bytes().to_vec()).unwrap()
}

#[test]
fn catalogues() {
    edits_of!(shipped_text(shipped::CATALOGUES, "nurse.toml"), |bytes| with_text(bytes, |text| {
        let _ = Catalogue::parse("catalogue.toml", text);
    }));
}

#[test]
fn models() {
    edits_of!(shipped_text(shipped::MODELS, "wenzhou-nurse.toml"), |bytes| {
        let catalogue = String::from_utf8(shipped_text(shipped::CATALOGUES, "nurse.toml")).unwrap();
        let catalogue = Catalogue::parse("nurse.toml", &catalogue).unwrap();
        with_text(bytes, |text| {
            if let Ok(model) = Model::parse("model.toml", text, &catalogue) {
                assert!(Model::from_json("model", &model.canonical(), &catalogue).is_ok());
            }
        });
    });
}

#[test]
fn mappings() {
    let (_, text) = shipped::MAPPINGS.first().unwrap();
    edits_of!(text.as_bytes().to_vec(), |bytes| with_text(bytes, |text| {
        let _ = Mapping::of("mapping.toml", text);
        let _ = Mapping::parse("mapping.toml", text, None);
    }));
}

#[test]
fn settings() {
    edits_of!(config::DEFAULTS.as_bytes().to_vec(), |bytes| with_text(bytes, |text| {
        let _ = Config::parse(text, Path::new("gateway.toml"));
    }));
}

#[test]
fn platforms() {
    static TABLES: LazyLock<(Library, Kinds)> =
        LazyLock::new(|| (Library::shipped().unwrap(), Kinds::built_in().unwrap()));
    let (_, text) = SHIPPED.iter().find(|(id, _)| *id == "provincial-credit-exchange").unwrap();
    edits_of!(text.as_bytes().to_vec(), |bytes| with_text(bytes, |text| {
        let (library, kinds) = &*TABLES;
        let _ = CheckedPlatform::parse("platform.toml", text, Path::new(""), &Reference { kinds, library });
    }));
}

#[test]
fn key_sets() {
    let set = r#"{"keys":[{"kty":"EC","crv":"P-256","alg":"ES256","use":"sig","kid":"k1","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"},{"kty":"OKP","crv":"Ed25519","kid":"k2","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
    assert!(ClientKeys::parse(set).is_ok());
    edits_of!(set.as_bytes().to_vec(), |bytes| with_text(bytes, |text| {
        let _ = ClientKeys::parse(text);
    }));
}

#[test]
fn packages() {
    let manifest =
        r#"{"files":[{"bytes":1,"name":"a.ndjson","records":1,"sha256":""}],"format":"medcredit-package/1"}"#;
    edits_of!(manifest.as_bytes().to_vec(), |bytes| {
        if let Ok(manifest) = Manifest::read(bytes) {
            for file in &manifest.files {
                let _ = (file.check_bytes(bytes), file.check_records(bytes));
            }
        }
    });
}

#[test]
fn package_signatures() {
    edits_of!(b"eyJhbGciOiJFUzI1NiIsImtpZCI6ImsxIiwidHlwIjoicGFja2FnZStqd3MifQ..c2lnbmF0dXJl".to_vec(), |bytes| {
        let _ = Detached::parse(bytes);
    });
}
