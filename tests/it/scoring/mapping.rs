//! Mapping tables: every grade has a receiver's grade, the order of grades is kept, and faults are reported by line.

use medcredit::{
    grading::{Library, LibraryError},
    scoring::shipped,
};

fn wenzhou() -> &'static str {
    shipped::MAPPINGS.iter().find(|(name, _)| name.contains("wenzhou")).unwrap().1
}

/// The error of the shipped table with one text replaced by another.
fn refused(from: &str, to: &str) -> String {
    assert!(wenzhou().contains(from), "the shipped table no longer says {from:?}");
    let text = wenzhou().replacen(from, to, 1);
    Library::shipped().unwrap().check_mapping("city.toml", &text).unwrap_err().to_string()
}

fn line_of(text: &str) -> usize {
    wenzhou().split_once(text).unwrap().0.matches('\n').count() + 1
}

#[test]
fn every_grade_of_every_mapped_scheme_has_a_receivers_grade() {
    let library = Library::shipped().unwrap();
    assert_eq!(library.mappings().count(), shipped::MAPPINGS.len());
    for mapping in library.mappings() {
        let scheme = library.scheme(&mapping.from().scheme).unwrap();
        for grade in &scheme.grade {
            library.map(&scheme.id, &grade.code, mapping.receiver()).unwrap();
        }
    }
    let word = |scheme: &str, grade: &str| library.map(scheme, grade, "national-cred-lv").unwrap().name_zh.clone();
    assert_eq!(word("wenzhou-951", "good"), "A");
    assert_eq!(word("zhenjiang-stars", "two_stars"), "B");
    assert_eq!(word("hengyang-abcd", "d"), "C");
}

#[test]
fn a_table_maps_every_grade_exactly_once() {
    let missing = refused("    { from = \"medium\", to = \"2\" },\n", "");
    assert!(missing.contains("the grade medium of wenzhou-951 is not mapped"), "{missing}");
    let unknown = refused("from = \"medium\"", "from = \"middling\"");
    let expected = format!("city.toml:{}: \"middling\" is no grade of wenzhou-951", line_of("from = \"medium\""));
    assert!(unknown.lines().any(|line| line == expected), "{unknown}");
    assert!(unknown.contains("the grade medium of wenzhou-951 is not mapped"), "both faults are reported: {unknown}");
    let nowhere = refused("from = \"bad\", to = \"3\"", "from = \"bad\", to = \"9\"");
    assert!(nowhere.contains("\"9\" is no grade of cred-lv"), "{nowhere}");
    let twice = refused("from = \"bad\"", "from = \"poor\"");
    assert!(twice.contains("the grade poor is mapped twice"), "{twice}");
}

#[test]
fn a_worse_grade_never_becomes_a_better_one() {
    let reversed = refused("from = \"bad\", to = \"3\"", "from = \"bad\", to = \"1\"");
    let line = line_of("from = \"bad\"");
    let said = format!("city.toml:{line}: the order is reversed: bad is mapped to a better grade than poor");
    assert!(reversed.contains(&said), "{reversed}");
}

#[test]
fn a_table_names_the_scheme_and_version_in_force() {
    let version = refused("version = 1", "version = 2");
    assert!(version.contains("no model in force grades by wenzhou-951 version 2"), "{version}");
    let reason = refused("basis = \"default\"", "basis = \"published\"");
    assert!(reason.contains("name the source"), "{reason}");
}

#[test]
fn unknown_schemes_grades_and_receivers_list_the_known_ones() {
    let library = Library::shipped().unwrap();
    let said = |scheme, grade, to| library.map(scheme, grade, to).unwrap_err();
    assert!(matches!(said("atlantis", "good", "x"), LibraryError::NoSuchScheme { .. }));
    let grade = said("wenzhou-951", "great", "national-cred-lv").to_string();
    assert_eq!(grade, "great is no grade of wenzhou-951, which has: bad, excellent, good, medium, poor");
    let receiver = said("wenzhou-951", "good", "mars").to_string();
    assert!(receiver.ends_with("there are tables for: national-cred-lv"), "{receiver}");
}
