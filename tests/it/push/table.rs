//! The table of receivers: the errors of an invalid one.

use medcredit::{
    domain::{Kinds, TableError},
    grading::Library,
    push::{BUILT_IN, Receiver, receivers},
};

fn read(text: &str) -> Result<Vec<Receiver>, TableError> {
    receivers("receivers.toml", text, &Library::shipped().unwrap(), &Kinds::built_in().unwrap())
}

/// The error of the built-in table with one text replaced by another.
fn refused(from: &str, to: &str) -> String {
    assert!(BUILT_IN.contains(from), "the table no longer says {from:?}");
    let text = BUILT_IN.replace(from, to);
    read(&text).unwrap_err().to_string()
}

fn line_of(text: &str) -> usize {
    BUILT_IN.split_once(text).unwrap().0.matches('\n').count() + 1
}

#[test]
fn the_shipped_table_is_valid() {
    let table = read(BUILT_IN).unwrap();
    let ids: Vec<_> = table.iter().map(|one| one.id.as_str()).collect();
    assert_eq!(ids, ["oujiang-score", "city-credit-platform", "national-insurance-platform"]);
    let own: Vec<_> = table.iter().map(|one| (one.mapping.as_deref(), one.own_grade)).collect();
    assert_eq!(own, [(None, true), (None, true), (Some("national-cred-lv"), true)]);
}

#[test]
fn a_table_is_checked_line_by_line() {
    let line = line_of("id = \"city-credit-platform\"");
    let twice = refused("\"city-credit-platform\"", "\"oujiang-score\"");
    assert_eq!(twice, format!("receivers.toml:{line}: oujiang-score is defined twice: give each receiver a unique id"));
    let form = refused("natural = \"code\"", "natural = \"everything\"");
    assert!(form.starts_with(&format!("receivers.toml:{}: ", line_of("natural = \"code\""))), "{form}");
    assert!(form.contains("everything"), "{form}");
    let ground = refused("reason = \"Grades are", "source = \"Grades are");
    assert_eq!(ground, format!("receivers.toml:{line}: city-credit-platform: give a source or a reason"));
}

#[test]
fn a_mapping_without_a_table_is_refused() {
    let line = line_of("mapping = \"national-cred-lv\"");
    let unknown = refused("mapping = \"national-cred-lv\"", "mapping = \"national-cred-level\"");
    assert_eq!(
        unknown,
        format!(
            "receivers.toml:{line}: national-insurance-platform names the mapping national-cred-level, and no table in \
             force belongs to it; there are tables for: national-cred-lv. Correct the name, or put a table into [grading] \
             mappings_directory"
        )
    );
}

#[test]
fn the_scheme_of_grades_for_a_receiver_is_explicit() {
    let silent = refused("own_grade = true\n", "");
    assert!(silent.contains("set own_grade to say whether our own grade is sent too"), "{silent}");
    let nobodys = refused("mapping = \"national-cred-lv\"\nown_grade = true", "own_grade = false");
    let line = line_of("mapping = \"national-cred-lv\"");
    assert_eq!(
        nobodys,
        format!(
            "receivers.toml:{line}: national-insurance-platform would receive no grade at all: name a mapping, or take \
             own_grade out"
        )
    );
}

#[test]
fn a_receiver_that_publishes_has_publishable_kinds_and_no_natural_persons() {
    let city = "kinds = [\"medical_institution\", \"pharmacy\", \"medical_company\", \"employer\"]";
    let line = line_of(city);
    let agency = refused(city, "kinds = [\"medical_institution\", \"agency\"]");
    assert_eq!(
        agency,
        format!(
            "receivers.toml:{line}: city-credit-platform publishes to everybody, and agency is not publishable by the \
             table of kinds: take the kind out of the entry, in a table of your own (--receivers FILE) where this one comes \
             with the program"
        )
    );
    let persons = refused("natural = \"none\"", "natural = \"code\"");
    let line = line_of("natural = \"none\"");
    assert_eq!(
        persons,
        format!(
            "receivers.toml:{line}: city-credit-platform publishes to everybody: natural persons are never published, \
             say natural = \"none\""
        )
    );
    let everybody = refused("audience = \"departments\"", "audience = \"public\"");
    for kind in ["doctor", "nurse", "pharmacist", "insured_person"] {
        assert!(everybody.contains(&format!("and {kind} is not publishable")), "{kind}: {everybody}");
    }
    let silent = refused("audience = \"public\"\n", "");
    assert!(silent.contains("audience"), "{silent}");
}
