//! The table of receivers: what an operator is told of one that cannot be used.

use medcredit::{
    domain::{Kinds, TableError},
    grading::Library,
    push::{BUILT_IN, Receiver, receivers},
};

fn read(text: &str) -> Result<Vec<Receiver>, TableError> {
    receivers("receivers.toml", text, &Library::shipped().unwrap(), &Kinds::built_in().unwrap())
}

/// What is said of the table with one text replaced by another.
fn refused(from: &str, to: &str) -> String {
    assert!(BUILT_IN.contains(from), "the table no longer says {from:?}");
    let text = BUILT_IN.replace(from, to);
    read(&text).unwrap_err().to_string()
}

fn line_of(text: &str) -> usize {
    BUILT_IN.split_once(text).unwrap().0.matches('\n').count() + 1
}

#[test]
fn the_table_that_comes_with_the_program_can_be_used() {
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
    assert_eq!(
        twice,
        format!("receivers.toml:{line}: oujiang-score stands here twice: give each receiver an id of its own")
    );
    let form = refused("natural = \"code\"", "natural = \"everything\"");
    assert!(form.starts_with(&format!("receivers.toml:{}: ", line_of("natural = \"code\""))), "{form}");
    assert!(form.contains("everything"), "{form}");
    let ground = refused("reason = \"Grades are", "source = \"Grades are");
    assert_eq!(
        ground,
        format!("receivers.toml:{line}: city-credit-platform: say where it comes from: a source, or a reason")
    );
}

#[test]
fn a_mapping_that_no_table_is_of_is_refused_when_the_table_is_read() {
    let line = line_of("mapping = \"national-cred-lv\"");
    let unknown = refused("mapping = \"national-cred-lv\"", "mapping = \"national-cred-level\"");
    assert_eq!(
        unknown,
        format!(
            "receivers.toml:{line}: national-insurance-platform names the mapping national-cred-level, and no table in \
             force is of it; there are tables of: national-cred-lv. Mend the name, or lay a table into [grading] \
             mappings_directory"
        )
    );
}

#[test]
fn in_whose_words_a_receiver_is_given_grades_is_said_and_is_somebodys() {
    let silent = refused("own_grade = true\n", "");
    assert!(silent.contains("say with own_grade whether our own grade stands beside it"), "{silent}");
    let nobodys = refused("mapping = \"national-cred-lv\"\nown_grade = true", "own_grade = false");
    let line = line_of("mapping = \"national-cred-lv\"");
    assert_eq!(
        nobodys,
        format!(
            "receivers.toml:{line}: national-insurance-platform would be given no grade at all: name a mapping, or take \
             own_grade out"
        )
    );
}

#[test]
fn a_receiver_that_publishes_is_given_publishable_kinds_and_no_natural_persons() {
    let city = "kinds = [\"medical_institution\", \"pharmacy\", \"medical_company\", \"employer\"]";
    let line = line_of(city);
    let agency = refused(city, "kinds = [\"medical_institution\", \"agency\"]");
    assert_eq!(
        agency,
        format!(
            "receivers.toml:{line}: city-credit-platform has the public for audience, and agency is not publishable by the \
             table of kinds: take the kind out of the entry, in a table of your own (--receivers FILE) where this one comes \
             with the program"
        )
    );
    let persons = refused("natural = \"none\"", "natural = \"code\"");
    let line = line_of("natural = \"none\"");
    assert_eq!(
        persons,
        format!(
            "receivers.toml:{line}: city-credit-platform has the public for audience: natural persons are never published, \
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
