//! Packages for platforms: their content, and their verification by a receiver without this program.

mod audience;
mod carriers;
mod fields;
mod files;
mod mapping;
mod page;
mod samples;
mod verify;

use std::{path::Path, sync::Arc};

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use medcredit::{
    domain::{Kinds, region::RegionTable},
    grading::{Correction, Library},
    identity::{KeyPair, Signer, Suite},
    push::{
        Exported, Exporter, PushError,
        platform::{Evaluator, Platform, Platforms, Reference},
    },
};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{
    grading::{Bureau, city, line, periods},
    support::{TestStore, both_engines},
};

/// The unified social credit code of the bureau.
pub const BUREAU: &str = "11330300MB1234A561";

/// A shipped platform.
pub fn platform(id: &str) -> Platform {
    let (library, kinds) = (Library::shipped().unwrap(), Kinds::built_in().unwrap());
    let platforms = Platforms::shipped(Path::new("platforms"), &Reference { kinds: &kinds, library: &library });
    platforms.get(id).unwrap().clone()
}

/// A bureau with a round in force, its key, and the round's id.
pub async fn round(store: TestStore) -> (Bureau, Arc<KeyPair>, String) {
    round_by(Bureau::with(store)).await
}

/// The same, with the models of the bureau.
async fn round_by(bureau: Bureau) -> (Bureau, Arc<KeyPair>, String) {
    round_of(bureau, 30).await
}

/// The same, over so many subjects.
pub async fn round_of(bureau: Bureau, subjects: usize) -> (Bureau, Arc<KeyPair>, String) {
    let (files, lines) = city(subjects, 7);
    bureau.accept_files(&files).await;
    bureau.import(1, &lines, true).await;
    let run = bureau.run(periods()[1]).await;
    bureau.publish(&run).await;
    let key = KeyPair::from_pkcs8(Suite::Es256, &KeyPair::generate(Suite::Es256).unwrap()).unwrap();
    (bureau, Arc::new(key), run.id.to_string())
}

async fn export(bureau: &Bureau, key: &Arc<KeyPair>, run: &str, to: &Platform) -> Result<Exported, PushError> {
    export_with(bureau, key, Kinds::built_in().unwrap(), (run, to)).await
}

/// The same with a city's own table of kinds.
async fn export_with(
    bureau: &Bureau,
    key: &Arc<KeyPair>,
    kinds: Kinds,
    (run, to): (&str, &Platform),
) -> Result<Exported, PushError> {
    let exporter = Exporter {
        env: bureau.store.env(),
        signer: key.clone(),
        kinds,
        library: bureau.library.clone(),
        regions: RegionTable::built_in().unwrap(),
        evaluator: Evaluator { name: Some("示范市医疗保障局".into()), uscc: Some(BUREAU.into()) },
    };
    exporter.export(run, to, crate::support::tester()).await
}

both_engines! {
    a_package_is_verified_by_its_manifest_alone,
    only_codes_of_natural_persons_are_exported,
    only_the_round_in_force_of_an_allowed_kind_is_exported,
}

/// A platform verifies a package with a library of its own and the published key.
async fn a_package_is_verified_by_its_manifest_alone(store: TestStore) {
    let (bureau, key, run) = round(store).await;
    bureau.import(2, &[line("H33030200011", "market_penalty", 1, "2025-12-30")], true).await;
    let correction = Correction { subject: "H33030200011", run: None, reason: "late", actor: crate::support::tester() };
    assert!(bureau.rounds.correct(correction).await.unwrap().changed);
    bureau.set("H33030200012", "UPDATE subjects SET under_objection = 1 WHERE code = $1").await;
    bureau.set("H33030200013", "UPDATE subjects SET uscc = '92330381MA2CD5EF8R' WHERE code = $1").await;
    let Exported { package, .. } = export(&bureau, &key, &run, &platform("city-credit-platform")).await.unwrap();

    // The signature, as in RFC 7515: the payload is inserted between the dots.
    let [header, "", signature] = package.signature.split('.').collect::<Vec<_>>()[..] else {
        panic!("{}", package.signature)
    };
    let message = format!("{header}.{}", BASE64URL_NOPAD.encode(&package.manifest));
    let jwk: jsonwebtoken::jwk::Jwk =
        serde_json::from_value(serde_json::to_value(key.public_key().jwk()).unwrap()).unwrap();
    let verifying = jsonwebtoken::DecodingKey::from_jwk(&jwk).unwrap();
    let verify = |message: &str| {
        jsonwebtoken::crypto::verify(signature, message.as_bytes(), &verifying, jsonwebtoken::Algorithm::ES256).unwrap()
    };
    assert!(verify(&message));
    assert!(!verify(&format!("{message}A")));
    let header: Value = serde_json::from_slice(&BASE64URL_NOPAD.decode(header.as_bytes()).unwrap()).unwrap();
    assert_eq!((&header["alg"], &header["kid"]), (&"ES256".into(), &key.key_id().into()));

    // The manifest names the data by its digest.
    let manifest: Value = serde_json::from_slice(&package.manifest).unwrap();
    let file = &manifest["files"][0];
    assert_eq!(file["sha256"], HEXLOWER.encode(&Sha256::digest(&package.data)));
    assert_eq!(
        (&file["name"], &file["bytes"], &file["records"]),
        (&package.data_name.as_str().into(), &package.data.len().into(), &28.into())
    );
    assert_eq!((&manifest["run"], &manifest["corrected"]), (&run.as_str().into(), &1.into()));
    assert_eq!(manifest["left_out"], serde_json::json!({ "under_objection": 1, "natural_persons": 1 }));
    let report = bureau.rounds.report(&run).await.unwrap();
    assert_eq!(
        (&manifest["outcome_digest"], &manifest["model_digest"]),
        (&report.outcome_digest.into(), &report.model_digest.into())
    );

    // The data: no subject that is left out, the corrected version, no points.
    let rows: Vec<csv::StringRecord> =
        csv::Reader::from_reader(&package.data[..]).records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 28);
    assert!(rows.iter().all(|row| !["H33030200012", "H33030200013"].contains(&&row[5])));
    assert!(!String::from_utf8(package.data.clone()).unwrap().lines().next().unwrap().contains("points"));
    let corrected = rows.iter().find(|row| &row[5] == "H33030200011").unwrap();
    let record = (&corrected[0], &corrected[1], &corrected[2]);
    assert_eq!(record, ("wenzhou-951:2025-H2:H33030200011", "2", "U"), "a correction is an update");

    // The export is an entry of the ledger.
    assert_eq!(entries(&bureau).await, 1);
}

/// A platform that may have natural persons by their code receives no names of them.
async fn only_codes_of_natural_persons_are_exported(store: TestStore) {
    let (bureau, key, run) = round(store).await;
    bureau
        .set(
            "H33030200013",
            "UPDATE subjects SET uscc = '92330381MA2CD5EF8R', name = 'synthetic sole trader' WHERE code = $1",
        )
        .await;
    let mut to = platform("oujiang-score");
    to.kinds.push("medical_institution".into());
    let package = export(&bureau, &key, &run, &to).await.unwrap().package;
    let records: Vec<Value> =
        String::from_utf8(package.data).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(records.len(), 30);
    let trader = records.iter().find(|record| record["code"] == "H33030200013").unwrap();
    assert!(trader.get("name").is_none() && trader.get("uscc").is_none(), "{trader}");
    assert!(trader["grade"].is_string() && trader["points"].is_string());
    assert!(records.iter().any(|record| record["name"] == "synthetic"));
}

/// An operator exports runs that must not be exported.
async fn only_the_round_in_force_of_an_allowed_kind_is_exported(store: TestStore) {
    let (bureau, key, run) = round(store).await;
    let refused = export(&bureau, &key, &run, &platform("oujiang-score")).await.unwrap_err();
    assert!(matches!(refused, PushError::NotForPlatform { .. }), "{refused}");
    let trial = bureau.run(periods()[1]).await.id.to_string();
    let refused = export(&bureau, &key, &trial, &platform("city-credit-platform")).await.unwrap_err();
    assert!(matches!(refused, PushError::NotInForce { .. }), "{refused}");
    bureau.rounds.publish(crate::support::tester(), &trial, 1).await.unwrap();
    let refused = export(&bureau, &key, &run, &platform("city-credit-platform")).await.unwrap_err();
    assert!(matches!(refused, PushError::NotInForce { .. }), "{refused}");
    assert_eq!(entries(&bureau).await, 0, "nothing left");
}

/// The number of exports that the ledger has an entry of.
async fn entries(bureau: &Bureau) -> i64 {
    bureau
        .db()
        .read("test")
        .fetch_one::<(i64,)>("SELECT COUNT(*) FROM ledger_entries WHERE body LIKE '%grades_exported%'", vec![])
        .await
        .unwrap()
        .0
}
