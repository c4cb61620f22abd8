//! Grades in a receiver's scheme: with ours or instead of ours, by a table that the manifest names, or refused.

use medcredit::{
    grading::Library,
    push::{
        PushError,
        platform::{Carrier, Content, Encoding, FileForm, FileSettings, Folder, Format, GradeValue, Platform},
    },
    scoring::shipped,
};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{entries, export, platform, round, round_by};
use crate::{
    grading::Bureau,
    support::{TestStore, both_engines},
};

/// The national platform's grades for Wenzhou's grades, repeated independently.
const WORDS: [(&str, &str, &str); 5] =
    [("excellent", "1", "A"), ("good", "1", "A"), ("medium", "2", "B"), ("poor", "3", "C"), ("bad", "3", "C")];

/// The national platform with a format, and with or without our own grades.
fn national(format: Format, own_grade: bool) -> Platform {
    let folder = Folder::Local("outgoing".into());
    let form = FileForm { format, encoding: Encoding::Utf8, record_columns: true };
    let carrier = Carrier::File(FileSettings { form, source: None, folder });
    let mut national = Platform { carrier, own_grade, ..platform("national-insurance-platform") };
    // A file without our grade has no fields for it: `push check` refuses them.
    let ours = [GradeValue::Grade, GradeValue::GradeName].map(Content::Value);
    national.grades.as_mut().unwrap().fields.retain(|field| own_grade || !ours.contains(&field.content));
    national
}

/// The records of a package in either format; absent and empty values are the same.
fn records(format: Format, data: &[u8]) -> Vec<Value> {
    match format {
        Format::Ndjson => {
            data.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect()
        }
        Format::Csv => {
            let mut rows = csv::Reader::from_reader(data);
            let of_row = |row: std::collections::BTreeMap<String, String>| {
                row.into_iter().filter(|(_, text)| !text.is_empty()).map(|(name, text)| (name, text.into())).collect()
            };
            rows.deserialize().map(|row| Value::Object(of_row(row.unwrap()))).collect()
        }
        Format::Xml => panic!("it is not tested with this one"),
    }
}

both_engines! {
    every_line_has_the_receivers_grade_beside_ours,
    the_receivers_grade_replaces_ours,
    the_manifest_names_the_table_by_its_digest,
    a_scheme_that_the_mapping_does_not_cover_is_refused_before_anything_is_written,
    a_table_of_a_scheme_that_was_changed_since_is_refused,
}

/// The national platform reads its own levels, and ours.
async fn every_line_has_the_receivers_grade_beside_ours(store: TestStore) {
    let (bureau, key, run) = round(store).await;
    for format in [Format::Csv, Format::Ndjson] {
        let package = export(&bureau, &key, &run, &national(format, true)).await.unwrap().package;
        let records = records(format, &package.data);
        assert_eq!(records.len(), 30);
        let mut grades = std::collections::BTreeSet::new();
        for record in &records {
            let (_, code, name) = WORDS.iter().find(|(ours, ..)| record["grade"] == *ours).unwrap();
            assert_eq!((&record["receiver_grade"], &record["receiver_grade_name"]), (&(*code).into(), &(*name).into()));
            assert!(record["grade_name"].is_string(), "{record}");
            grades.insert(*code);
        }
        assert!(grades.len() >= 2, "the city is not all of one level");
    }
}

/// A platform that knows only its own levels receives nothing else.
async fn the_receivers_grade_replaces_ours(store: TestStore) {
    let (bureau, key, run) = round(store).await;
    bureau.set("H33030200011", "UPDATE assessments SET status = 'not_rated', grade = NULL, points = NULL, reason = 'licence_not_active' WHERE subject_code = $1").await;
    for format in [Format::Csv, Format::Ndjson] {
        let package = export(&bureau, &key, &run, &national(format, false)).await.unwrap().package;
        for record in records(format, &package.data) {
            assert!(record.get("grade").is_none() && record.get("grade_name").is_none(), "{record}");
            let rated = record["status"] == "graded";
            assert_eq!(rated, record["code"] != "H33030200011", "{record}");
            assert_eq!(record.get("receiver_grade").is_some(), rated, "who is not rated has no level: {record}");
        }
        let text = String::from_utf8(package.data).unwrap();
        assert!(["excellent", "优秀", "良好"].iter().all(|ours| !text.contains(ours)), "a word of ours is in it");
    }
}

/// A receiver looks up the table that its levels were mapped by.
async fn the_manifest_names_the_table_by_its_digest(store: TestStore) {
    let (bureau, key, run) = round(store).await;
    let manifest: Value = serde_json::from_slice(
        &export(&bureau, &key, &run, &national(Format::Csv, true)).await.unwrap().package.manifest,
    )
    .unwrap();
    let table = bureau.library.mappings().find(|table| table.from().scheme == "wenzhou-951").unwrap();
    assert_eq!(
        manifest["mapped_by"],
        serde_json::json!({
            "mapping": "national-cred-lv", "digest": data_encoding::HEXLOWER.encode(&Sha256::digest(table.canonical())),
            "from": { "scheme": "wenzhou-951", "version": 1 }, "to": "cred-lv", "own_grade": true,
        })
    );
    let others: Value = serde_json::from_slice(
        &export(&bureau, &key, &run, &platform("city-credit-platform")).await.unwrap().package.manifest,
    )
    .unwrap();
    assert!(others.get("mapped_by").is_none(), "a receiver without a mapping has none");
}

/// An operator exports a round whose scheme the receiver's mapping has no table for.
async fn a_scheme_that_the_mapping_does_not_cover_is_refused_before_anything_is_written(store: TestStore) {
    let (mut bureau, key, run) = round(store).await;
    let (_, text) = shipped::MAPPINGS.iter().find(|(name, _)| name.contains("hengyang")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("city.toml"),
        text.replace("receiver = \"national-cred-lv\"", "receiver = \"city-words\""),
    )
    .unwrap();
    bureau.library = bureau.library.with_mappings(folder.path()).unwrap();
    let to = Platform { mapping: Some("city-words".into()), ..platform("national-insurance-platform") };
    let refused = export(&bureau, &key, &run, &to).await.unwrap_err();
    assert!(matches!(refused, PushError::NotCovered(_)), "{refused}");
    assert_eq!(
        refused.to_string(),
        format!(
            "the run {run} is of wenzhou-951 version 1, which the mapping city-words of national-insurance-platform does not \
             cover: it has tables for hengyang-abcd version 1. Put a table from wenzhou-951 version 1 for city-words into \
             [grading] mappings_directory (`medcredit model check FILE` checks it), or take the mapping out of the platform's \
             file"
        )
    );
    assert_eq!(entries(&bureau).await, 0, "nothing left, and nothing is said to have left");
}

/// A city changed its scheme without raising the version: the table in force does not fit the grades of the run.
async fn a_table_of_a_scheme_that_was_changed_since_is_refused(store: TestStore) {
    let mut bureau = Bureau::with(store);
    bureau.library = of_a_city("medium");
    let (mut bureau, key, run) = round_by(bureau).await;
    bureau.library = of_a_city("middling");
    let refused = export(&bureau, &key, &run, &national(Format::Csv, true)).await.unwrap_err();
    let said = refused.to_string();
    assert!(matches!(refused, PushError::NotCovered(_)), "{said}");
    assert!(
        said.contains("its version was not raised") && said.contains("the grade medium of city-951 is not mapped"),
        "{said}"
    );
    assert_eq!(entries(&bureau).await, 0);
    bureau.library = of_a_city("medium");
    export(&bureau, &key, &run, &national(Format::Csv, true)).await.unwrap();
}

/// The models of a city with a scheme of its own, whose middle grade has a code, and a table of it for the national platform.
fn of_a_city(middle: &str) -> Library {
    let folder = tempfile::tempdir().unwrap();
    let [models, mappings] = ["models", "mappings"].map(|name| folder.path().join(name));
    for (path, of, name) in
        [(&models, shipped::MODELS, "wenzhou-institution"), (&mappings, shipped::MAPPINGS, "wenzhou-national")]
    {
        let (_, text) = of.iter().find(|(file, _)| file.contains(name)).unwrap();
        let text = text.replace("\"wenzhou-951\"", "\"city-951\"").replace("\"medium\"", &format!("\"{middle}\""));
        std::fs::create_dir(path).unwrap();
        std::fs::write(path.join("city.toml"), text).unwrap();
    }
    Library::load(&folder.path().join("catalogues"), &models).unwrap().with_mappings(&mappings).unwrap()
}
