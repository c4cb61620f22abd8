//! Personal data is sealed and account numbers are hashed before they reach the store (I8).

use medcredit::{
    importing::{ACCOUNT_NUMBER, Template},
    store::{CrypterError, Db, migrations, personal},
};

use super::{ACCOUNTS, ImportHarness, SUBJECTS, THREE};
use crate::support::{TestStore, block_on, both_engines, logs::never_logged};

both_engines! {
    an_identity_can_be_opened_only_in_its_own_row,
}

/// An administrator with the key opens an identity; moved to another row it does not open.
async fn an_identity_can_be_opened_only_in_its_own_row(store: TestStore) {
    never_logged("330302198001010019");
    let harness = ImportHarness::with_subjects(store).await;
    let sealed = harness.subject("H33030200090").await.unwrap().sealed_identity.unwrap();
    let plain = harness.crypter.open(personal::seal_context("H33030200090"), &sealed).unwrap();
    let identity: serde_json::Value = serde_json::from_slice(&plain).unwrap();
    assert_eq!(
        identity,
        serde_json::json!({ "id_type": "01", "id_number": "330302198001010019", "legal_representative": "合成甲" })
    );
    let moved = harness.crypter.open(personal::seal_context("P33030400017"), &sealed).unwrap_err();
    assert!(matches!(moved, CrypterError::Refused { .. }));
    assert!(harness.subject("P33030400017").await.unwrap().sealed_identity.is_none());
}

/// A thief with the files of the store, but not the key.
#[test]
fn the_files_of_the_store_have_neither_numbers_nor_representatives() {
    block_on(async {
        never_logged("6222021203000000017");
        let harness = ImportHarness::new(TestStore::sqlite().await);
        let files = tempfile::tempdir().unwrap();
        let db = Db::open_sqlite(files.path()).await.unwrap();
        migrations::migrate(&db, &*harness.store.clock).await.unwrap();
        let account = "H33030200090,10210000000012,6222021203000000017,2025-01-01\n";
        for (template, text) in
            [(Template::Subjects, format!("{SUBJECTS}{THREE}")), (Template::Accounts, format!("{ACCOUNTS}{account}"))]
        {
            let path = harness.write("file.csv", text);
            let importer = harness.importer_into(db.clone());
            let report = importer.import(template, &path, &harness.options, &mut |_| {}).await.unwrap();
            assert_eq!(report.rejected, 0);
        }
        let hash = harness.crypter.blind(ACCOUNT_NUMBER, b"6222021203000000017").unwrap();
        db.close().await;
        let mut all = Vec::new();
        for entry in std::fs::read_dir(files.path()).unwrap() {
            all.extend(std::fs::read(entry.unwrap().path()).unwrap());
        }
        let holds = |bytes: &[u8]| all.windows(bytes.len()).any(|window| window == bytes);
        for secret in ["330302198001010019", "33030319660704005X", "6222021203000000017", "合成甲", "合成医师"] {
            assert!(!holds(secret.as_bytes()), "{secret} is in the files of the store");
        }
        assert!(holds(&hash), "only the keyed hash of the account number is stored");
        assert!(holds("合成诊所".as_bytes()), "the search finds text that is there");
    });
}
