//! Nine kinds of subject, each with the codes of its own scheme.

use medcredit::{domain::Kinds, grading::Library, importing::Template};

use super::{ImportHarness, SUBJECTS};
use crate::support::{TestStore, both_engines};

/// A subject of each built-in kind.
const NINE: &str = "\
medical_institution,H33030200090,91330302MA2AB3C47J,合成诊所,330302,一级,,,,,2019-05-01,active,active
pharmacy,P33030400017,52330304MJ8765K12B,合成药店,330304,,,,,,2020-01-01,active,active
doctor,D330302000123,,合成医师,330302,,,01,33030319660704005X,,,active,active
nurse,N330302000456,,合成护士,330302,,,,,,,active,active
pharmacist,HY330302000078,,合成药师,330302,,,,,,,active,active
agency,S33030000001,11330300MB1A2C3D0M,合成经办处,330300,,,,,,,active,active
medical_company,YQ91330302MA2AB3C47J,91330302MA2AB3C47J,合成医药公司,330302,,,,,,,active,active
employer,DW91330302MA2AB3C47J,91330302MA2AB3C47J,合成单位,330302,,,,,,,active,active
insured_person,CB33030000012345,,合成参保人,330302,,,01,330302198001010019,,,active,active
";

#[test]
fn every_kind_has_its_catalogue_and_every_model_its_kind() {
    let (kinds, library) = (Kinds::built_in().unwrap(), Library::shipped().unwrap());
    let kind_of = |id: &str| library.models().find(|model| model.id() == id).map(|model| model.kind());
    kinds.check_names(|kind| library.catalogue(kind).is_some(), kind_of).unwrap();
    assert!(kinds.iter().all(|kind| kind.catalogue.is_some() && !kind.models.is_empty()));
    for model in library.models() {
        let listed = kinds.find(model.kind()).is_some_and(|kind| kind.models.iter().any(|id| id == model.id()));
        assert!(listed, "{} is listed by its kind", model.id());
    }
}

both_engines! {
    every_kind_can_be_imported,
}

/// A clerk imports one subject of every kind.
async fn every_kind_can_be_imported(store: TestStore) {
    let harness = ImportHarness::new(store);
    let report = harness.import(Template::Subjects, format!("{SUBJECTS}{NINE}")).await;
    assert_eq!((report.accepted, report.rejected, report.warnings), (9, 0, 0), "{:?}", harness.findings(&report));
    for kind in Kinds::built_in().unwrap().iter() {
        let row = NINE.lines().find(|line| line.starts_with(&format!("{},", kind.id))).expect("a row of each kind");
        let code = row.split(',').nth(1).unwrap();
        assert_eq!(harness.subject(code).await.unwrap().kind, kind.id);
    }
}
