//! The carrier of a platform, opened from its file alone.

use std::{path::Path, sync::Arc};

use medcredit::{
    domain::{Kinds, ManualClock},
    grading::Library,
    identity::{KeyPair, Suite},
    push::{
        carrier::{CarrierContext, Delivery, open},
        platform::{Carrier, CheckedPlatform, Evaluator, FileForm, FileSettings, Folder, Platform, Reference, SHIPPED},
    },
};

use super::{package, rows};
use crate::support::{block_on, pki::NOW};

/// A platform that comes with the program.
pub fn shipped(id: &str) -> Platform {
    let (library, kinds) = (Library::shipped().unwrap(), Kinds::built_in().unwrap());
    let (_, text) = SHIPPED.iter().find(|(other, _)| *other == id).unwrap();
    let reference = Reference { kinds: &kinds, library: &library };
    CheckedPlatform::parse("p.toml", text, Path::new("city"), &reference).unwrap().platform
}

/// A gateway, with or without the evaluator's code.
pub fn context(uscc: Option<&str>, working_directory: &Path) -> CarrierContext {
    let key = KeyPair::from_pkcs8(Suite::Es256, &KeyPair::generate(Suite::Es256).unwrap()).unwrap();
    let key: Arc<KeyPair> = Arc::new(key);
    CarrierContext {
        clock: ManualClock::new(NOW),
        signer: Arc::new(move || key.clone()),
        evaluator: Evaluator { name: None, uscc: uscc.map(str::to_owned) },
        working_directory: working_directory.to_owned(),
    }
}

#[test]
fn every_platform_that_comes_with_the_program_has_a_carrier() {
    let context = context(Some("11330300002500000X"), Path::new("/nowhere"));
    for (id, _) in SHIPPED {
        open(&shipped(id), &context).unwrap_or_else(|error| panic!("{error}"));
    }
}

#[test]
fn files_begin_with_the_name_of_the_file_or_the_evaluators_code() {
    block_on(async {
        let directory = tempfile::tempdir().unwrap();
        let mut platform = shipped("city-credit-platform");
        let Carrier::File(FileSettings { form, .. }) = platform.carrier else { panic!("{:?}", platform.carrier) };
        let settings = |source: Option<&str>| {
            let folder = Folder::Local(directory.path().to_owned());
            Carrier::File(FileSettings { form, source: source.map(|name| name.parse().unwrap()), folder })
        };
        let (uscc, rows, package) = ("11330300002500000X", rows(0..1), package(1, 1));
        for (source, evaluator, begin) in
            [(Some("ybj"), Some(uscc), "ybj_grades_"), (None, Some(uscc), "11330300002500000X_grades_")]
        {
            platform.carrier = settings(source);
            let carrier = open(&platform, &context(evaluator, directory.path())).unwrap();
            let delivery = Delivery { package: &package, page: 1, key: "obx_1", rows: &rows };
            let receipt = carrier.deliver(&delivery).await.unwrap();
            assert!(receipt.number.as_deref().is_some_and(|name| name.starts_with(begin)), "{receipt:?}");
        }
        platform.carrier = settings(None);
        let refused = open(&platform, &context(None, directory.path())).unwrap_err();
        assert_eq!((refused.platform.as_str(), refused.key), ("city-credit-platform", "[carrier.file] source"));
        assert!(refused.to_string().contains("evaluator_uscc in [push]"), "{refused}");
    });
}

#[test]
fn an_address_outside_the_networks_is_refused_by_its_key() {
    let mut platform = shipped("municipal-credit-service");
    let Carrier::Https(settings) = &mut platform.carrier else { panic!("{:?}", platform.carrier) };
    settings.url = "https://192.0.2.1/credit".parse().unwrap();
    let refused = open(&platform, &context(None, Path::new("/nowhere"))).unwrap_err();
    assert_eq!((refused.platform.as_str(), refused.key), ("municipal-credit-service", "[carrier.https] url"));
    assert!(refused.why.contains("192.0.2.1") && refused.why.contains("10.0.0.0/8"), "{refused}");
}

#[test]
fn rows_have_columns_of_their_record_where_the_platform_has_no_fields_for_it() {
    let form = |id: &str| match shipped(id).carrier {
        Carrier::File(FileSettings { form: FileForm { record_columns, .. }, .. }) => record_columns,
        other => panic!("{other:?}"),
    };
    assert!(!form("city-credit-platform"), "it has fields for all three");
    assert!(form("enterprise-publicity") && form("credit-china"), "they have none for the version");
}
