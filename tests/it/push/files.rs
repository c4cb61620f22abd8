//! Files of platforms: what is wrong with one is reported by line, all of it; those of a city's folder replace the shipped ones.

use std::{fs, path::Path};

use medcredit::{
    domain::{Kinds, TableError, kinds},
    grading::Library,
    push::platform::{CheckedPlatform, Platforms, PlatformsError, Receipts, Reference, SHIPPED},
};

use super::platform;

pub(super) fn parse(text: &str) -> Result<CheckedPlatform, TableError> {
    let (library, kinds) = (Library::shipped().unwrap(), Kinds::built_in().unwrap());
    CheckedPlatform::parse("p.toml", text, Path::new("city"), &Reference { kinds: &kinds, library: &library })
}

pub(super) fn shipped(id: &str) -> &'static str {
    SHIPPED.iter().find(|(other, _)| *other == id).unwrap().1
}

/// A shipped file with some texts replaced.
pub(super) fn edited(id: &str, edits: &[(&str, &str)]) -> String {
    edits.iter().fold(shipped(id).to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{id} no longer says {from:?}");
        text.replacen(from, to, 1)
    })
}

/// The faults of a shipped file with some texts replaced: lines and messages.
pub(super) fn faults(id: &str, edits: &[(&str, &str)]) -> Vec<(usize, String)> {
    let error = parse(&edited(id, edits)).unwrap_err();
    error.faults.into_iter().map(|fault| (fault.line.unwrap(), fault.message)).collect()
}

/// The only fault of a shipped file in which one text is replaced; it is on the line of the replaced text.
pub(super) fn fault(id: &str, from: &str, to: &str) -> String {
    let mut faults = faults(id, &[(from, to)]);
    let line = shipped(id).split_once(from).unwrap().0.matches('\n').count() + 1;
    assert_eq!(faults.len(), 1, "{faults:?}");
    let (at, message) = faults.remove(0);
    assert_eq!(at, line, "{message}");
    message
}

#[test]
fn the_shipped_platforms_are_valid_and_named_by_their_ids() {
    let (library, kinds) = (Library::shipped().unwrap(), Kinds::built_in().unwrap());
    let platforms = Platforms::shipped(Path::new("platforms"), &Reference { kinds: &kinds, library: &library });
    assert_eq!(platforms.left_out().count(), 0, "{:?}", platforms.left_out().collect::<Vec<_>>());
    let ids: Vec<_> = platforms.iter().map(|found| found.checked.platform.id.clone()).collect();
    let mut named: Vec<_> = SHIPPED.iter().map(|(id, _)| (*id).to_owned()).collect();
    named.sort();
    assert_eq!(ids, named);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/platforms");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    assert_eq!(
        files.iter().map(|file| file.file_stem().unwrap().to_str().unwrap().to_owned()).collect::<Vec<_>>(),
        ids
    );
}

/// A person writes a file with a dozen mistakes and gets all of them in one pass, in the order of the file.
#[test]
fn everything_that_is_wrong_is_reported_by_line() {
    let text = r#"id = "Fifth Platform"
name_zh = ""
basis = "default"
audience = "everybody"
kinds = ["pharmacy", "pharmacys", "pharmacy"]
natural = "none"
objections = "leave_out"
points = "no"
colour = "red"

[schedule]
grades = "weekly"
usage = "monthly"

[carrier.https]
url = "http://credit.example.gov.cn"
certificate_file = "a.crt"
key_file = "a.key"
allow = ["10.0.0.0/8", "10.0.0.0/40"]
page_rows = 0

[grades]
dataset = "D"
[[grades.field]]
name = "A"
value = "grade"
date = "iso"
[[grades.field]]
name = "A"
value = "grades"
[[grades.field]]
name = "B"
value = "constant"
[[grades.field]]
value = "code"
"#;
    let (library, kinds) = (Library::shipped().unwrap(), Kinds::built_in().unwrap());
    let reference = Reference { kinds: &kinds, library: &library };
    let error = CheckedPlatform::parse("fifth.toml", text, Path::new(""), &reference).unwrap_err();
    let said: Vec<_> = error.faults.iter().map(|fault| (fault.line.unwrap(), fault.message.as_str())).collect();
    let expected = [
        (1, "`id`: \"Fifth Platform\" cannot be an id"),
        (2, "`name_zh` is empty"),
        (3, "`basis` is default: give a `reason`"),
        (4, "`audience`: \"everybody\" is not a valid audience: use public, departments"),
        (5, "`kinds`: \"pharmacys\" is not a kind of subject: use medical_institution, pharmacy"),
        (5, "`kinds`: pharmacy is named twice"),
        (8, "`points` must be true or false, and is a value of type string"),
        (9, "the key `colour` is unknown; there are: id, name_zh"),
        (12, "[schedule]: `grades`: \"weekly\" is not a valid schedule of grades: use half_yearly, monthly, on_change"),
        (13, "[schedule] has `usage`, and the package [usage] is missing"),
        (15, "[carrier.https]: `authority_file` is missing"),
        (16, "[carrier.https]: `url`: \"http://credit.example.gov.cn\" is not of the form https://HOST[:PORT][/PATH]"),
        (19, "[carrier.https]: `allow`: \"10.0.0.0/40\" is not a network"),
        (20, "[carrier.https]: `page_rows` must be a number from 1 to 10000"),
        (22, "the package [grades] is never sent: give `grades` in [schedule]"),
        (27, "`date` is for days, and grade is none"),
        (30, "`value`: \"grades\" is not a valid value of a record of grades: use record_id, version"),
        (33, "the value is constant: give its text"),
        (34, "[grades.field]: `name` is missing"),
    ];
    for ((line, message), (at, begins)) in said.iter().zip(expected) {
        assert!(*line == at && message.starts_with(begins), "{at}: {begins}\n{line}: {message}");
    }
    assert_eq!(said.len(), expected.len(), "{said:#?}");
    assert!(error.to_string().starts_with("fifth.toml:1: `id`"), "{error}");
}

#[test]
fn every_fault_of_syntax_is_reported() {
    let error = parse("id = \nname_zh = \"a\nbasis = \"default\"\nbasis = \"default\"\n").unwrap_err();
    let lines: Vec<_> = error.faults.iter().map(|fault| fault.line.unwrap()).collect();
    assert_eq!(lines, [1, 2, 4], "{error}");
}

#[test]
fn a_platform_that_publishes_has_publishable_kinds_and_no_natural_persons() {
    let agency = fault("city-credit-platform", "\"pharmacy\", ", "\"agency\", ");
    assert_eq!(
        agency,
        "the platform publishes to everybody, and agency is not publishable by the table of kinds: take the kind out, in a \
         file of your own in [push] platforms_directory where this one comes with the program"
    );
    let persons = fault("city-credit-platform", "natural = \"none\"", "natural = \"code\"");
    assert_eq!(
        persons,
        "the platform publishes to everybody: natural persons are never published, say natural = \"none\""
    );
    let everybody = faults("oujiang-score", &[("\"departments\"", "\"public\"")]);
    for kind in ["doctor", "nurse", "pharmacist", "insured_person"] {
        assert!(
            everybody.iter().any(|(_, said)| said.contains(&format!("and {kind} is not publishable"))),
            "{everybody:?}"
        );
    }
    let silent = faults("city-credit-platform", &[("audience = \"public\"\n", "")]);
    assert_eq!(silent, [(1, "`audience` is missing".to_owned())]);
}

#[test]
fn receipts_are_read_unless_the_file_says_that_the_platform_calls_back() {
    let of = "city-credit-platform";
    let read = |edits: &[(&str, &str)]| parse(&edited(of, edits)).unwrap().platform.receipts;
    assert_eq!(read(&[]), Receipts::Read);
    assert_eq!(read(&[("points = false", "points = false\nreceipts = \"called_back\"")]), Receipts::CalledBack);
    let wrong = fault(of, "points = false", "receipts = \"pushed\"\npoints = false");
    assert!(wrong.contains("\"pushed\" is not a valid way of receipts: use read, called_back"), "{wrong}");
}

#[test]
fn it_is_explicit_whose_grades_a_platform_receives() {
    let of = "national-insurance-platform";
    let unknown = fault(of, "mapping = \"national-cred-lv\"", "mapping = \"national-words\"");
    assert_eq!(
        unknown,
        "no table in force belongs to the mapping national-words; there are tables for: national-cred-lv. Correct the name, \
         or put a table into [grading] mappings_directory"
    );
    let silent = faults(of, &[("own_grade = true\n", "")]);
    assert!(matches!(&silent[..], [(_, said)] if said.contains("set own_grade")), "{silent:?}");
    let nobodys = faults("city-credit-platform", &[("points = false", "points = false\nown_grade = false")]);
    let said: Vec<_> = nobodys.iter().map(|(_, said)| said.as_str()).collect();
    assert_eq!(
        said,
        [
            "the platform would receive no grade at all: name a mapping, or take own_grade out",
            "the field grade: grade is our own grade, and own_grade is false",
            "the field grade_name: grade_name is our own grade, and own_grade is false",
        ]
    );
    let without = faults(of, &[("mapping = \"national-cred-lv\"\nown_grade = true\n", "")]);
    let said: Vec<_> = without.iter().map(|(_, said)| said.as_str()).collect();
    assert_eq!(
        said,
        [
            "the field receiver_grade: receiver_grade needs a mapping: name one (`mapping`), or send `grade`",
            "the field receiver_grade_name: receiver_grade_name needs a mapping: name one (`mapping`), or send `grade`",
        ]
    );
}

#[test]
fn fields_say_only_what_the_platform_may_have() {
    let points = fault("city-credit-platform", "value = \"reason\" }", "value = \"points\" }");
    assert_eq!(points, "the field reason: the platform may not have points (points = false)");
    let name = fault("municipal-credit-service", "value = \"name\",", "value = \"name\", required = true,");
    assert!(
        name.starts_with("the field subjectName: it cannot be required: natural persons and sole traders"),
        "{name}"
    );
    let mark = faults(
        "municipal-credit-service",
        &[
            ("value = \"objection\", codes = { yes = \"1\", no = \"0\" }", "value = \"year\""),
            ("value = \"remark\"", "value = \"period\""),
        ],
    );
    assert!(matches!(&mark[..], [(_, said)] if said.contains("no field for the mark of open objections")), "{mark:?}");
    let nobody = faults(
        "enterprise-publicity",
        &[("value = \"record_id\"", "value = \"batch\""), ("value = \"uscc\"", "value = \"region\"")],
    );
    assert!(matches!(&nobody[..], [(_, said)] if said.contains("no field that says whose grade it is")), "{nobody:?}");
    let loans = parse(&edited(
        "municipal-credit-service",
        &[("value = \"consents_withdrawn\", required = true", "value = \"loan_amount\", amount = \"wan_yuan\"")],
    ));
    let warnings = loans.unwrap().warnings;
    assert!(
        warnings[0].message.contains("loan_amount stays empty, because banks do not report loans yet"),
        "{warnings:?}"
    );
}

#[test]
fn codes_cover_our_words_and_no_others() {
    let of = "provincial-credit-exchange";
    let lacks = faults(of, &[("graded = \"1\", not_rated = \"2\"", "graded = \"1\"")]);
    assert!(
        matches!(&lacks[..], [(_, said)] if said == "the field jlzt: its codes lack status not_rated"),
        "{lacks:?}"
    );
    let kind = faults(of, &[(", employer = \"04\"", ", employers = \"04\"")]);
    let said: Vec<_> = kind.iter().map(|(_, said)| said.as_str()).collect();
    assert_eq!(said[0], "the field ztlb: its codes lack kind employer");
    assert!(said[1].starts_with("the field ztlb: \"employers\" is no kind; there are: agency, doctor"), "{}", said[1]);
    // The grades of the scheme that rates the platform's kinds, which are Wenzhou's.
    let grades = "value = \"grade\", codes = { excellent = \"1\", good = \"2\", medium = \"3\", poor = \"4\" }";
    let grade = faults(of, &[("value = \"grade_name\", longest = 20", grades)]);
    assert!(matches!(&grade[..], [(_, said)] if said == "the field pjdj: its codes lack grade bad"), "{grade:?}");
    let all = grades.replace("poor = \"4\"", "poor = \"4\", bad = \"5\"");
    parse(&edited(of, &[("value = \"grade_name\", longest = 20", &all)])).unwrap();
    let text = fault(of, "value = \"name\", required = true", "value = \"name\", codes = { a = \"b\" }");
    assert!(text.starts_with("`codes` are for values from a closed list (operation, kind"), "{text}");
}

#[test]
fn a_folder_replaces_shipped_platforms_and_adds_others() {
    let folder = tempfile::tempdir().unwrap();
    let (library, kinds) = (Library::shipped().unwrap(), Kinds::built_in().unwrap());
    let reference = Reference { kinds: &kinds, library: &library };
    let load = |path: &Path| Platforms::load(path, &reference);
    let missing = load(&folder.path().join("not-there")).unwrap();
    assert_eq!(missing.iter().count(), SHIPPED.len());
    let own = edited("credit-china", &[("name_zh = \"信用中国（市级站）\"", "name_zh = \"我们的\"")]);
    let fifth = edited("credit-china", &[("id = \"credit-china\"", "id = \"fifth\"")]);
    fs::write(folder.path().join("a.toml"), &own).unwrap();
    fs::write(folder.path().join("b.toml"), &fifth).unwrap();
    let platforms = load(folder.path()).unwrap();
    assert_eq!(platforms.iter().count(), SHIPPED.len() + 1);
    assert_eq!(platforms.get("credit-china").unwrap().name_zh, "我们的");
    assert_ne!(platforms.get("credit-china").unwrap().digest, platform("credit-china").digest, "another definition");
    let of_folder: Vec<_> = platforms.iter().filter_map(|found| found.file.clone()).collect();
    assert_eq!(of_folder, [folder.path().join("a.toml"), folder.path().join("b.toml")]);
    let unknown = platforms.get("sixth").unwrap_err();
    assert!(
        unknown.to_string().starts_with("there is no platform sixth; there are: city-credit-platform, "),
        "{unknown}"
    );
    fs::write(folder.path().join("c.toml"), &fifth).unwrap();
    assert!(matches!(load(folder.path()), Err(PlatformsError::Duplicate { id, .. }) if id == "fifth"));
    fs::write(folder.path().join("c.toml"), "id = 1").unwrap();
    assert!(matches!(load(folder.path()), Err(PlatformsError::Refused(_))));
}

/// A city that decides otherwise about a kind keeps every other platform.
#[test]
fn a_shipped_platform_that_does_not_fit_the_city_is_left_out_with_the_reason() {
    let library = Library::shipped().unwrap();
    let (head, rest) = kinds::BUILT_IN.split_once("id = \"employer\"").unwrap();
    let rest = rest.replacen("publishable = true", "publishable = false", 1);
    let kinds = Kinds::from_toml("kinds.toml", &format!("{head}id = \"employer\"{rest}")).unwrap();
    let platforms = Platforms::shipped(Path::new("platforms"), &Reference { kinds: &kinds, library: &library });
    let left: Vec<_> = platforms.left_out().map(|(id, _)| id).collect();
    assert_eq!(left, ["city-credit-platform", "credit-china", "enterprise-publicity"]);
    let refused = platforms.get("credit-china").unwrap_err().to_string();
    assert!(
        refused.contains("config/platforms/credit-china.toml:") && refused.contains("employer is not publishable"),
        "{refused}"
    );
    platforms.get("national-insurance-platform").unwrap();
}
