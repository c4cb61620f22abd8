//! Contents of the table of kinds, and the files that are refused.

use proptest::prelude::*;

use super::*;

fn table(id: &str, code: &str) -> String {
    format!(
        "[[kind]]\nid = \"{id}\"\nname = \"n\"\nbasis = \"likely\"\nreason = \"r\"\nperson = \"legal\"\n\
         code_scheme = \"national\"\ncodes = [\"{code}\"]\ncertificate = \"optional\"\nlendable = false\npublishable = false\n"
    )
}

fn refused(text: &str) -> String {
    Kinds::from_toml("kinds.toml", text).unwrap_err().to_string()
}

#[test]
fn the_built_in_kinds_are_nine_five_of_them_certain_with_the_national_object_types() {
    let kinds = Kinds::built_in().unwrap();
    assert_eq!(kinds.iter().count(), 9);
    let certain: Vec<_> =
        kinds.iter().filter(|kind| kind.basis == KindBasis::Certain).map(|kind| kind.id.as_str()).collect();
    assert_eq!(certain, ["medical_institution", "pharmacy", "doctor", "nurse", "pharmacist"]);
    let types: Vec<_> = kinds.iter().filter_map(|kind| kind.object_type).collect();
    assert_eq!(types, [1, 2, 7, 8, 13]);
    assert!(kinds.iter().all(|kind| !kind.ground.is_empty()));
}

#[test]
fn each_example_code_belongs_to_its_kind_and_each_kind_has_one() {
    let kinds = Kinds::built_in().unwrap();
    let examples = [
        ("H33030200090", "medical_institution"),
        ("H33030000001", "medical_institution"),
        ("P33030200017", "pharmacy"),
        ("P33038101234", "pharmacy"),
        ("D330302000123", "doctor"),
        ("N330302000456", "nurse"),
        ("HY330302000078", "pharmacist"),
        ("LY330302000078", "pharmacist"),
        ("S35000010001", "agency"),
        ("YQ91330302MA2AB3C47J", "medical_company"),
        ("DW91330302MA2AB3C47J", "employer"),
        ("CB33030000012345", "insured_person"),
    ];
    for (code, kind) in examples {
        assert_eq!(kinds.of_code(code).map(|kind| kind.id.as_str()), Some(kind), "{code}");
        assert!(kinds.check(kind, code).is_ok());
    }
    for kind in kinds.iter() {
        assert!(examples.iter().any(|(_, of)| *of == kind.id), "{} can be imported", kind.id);
    }
}

#[test]
fn a_code_of_another_kind_and_an_unknown_kind_are_different_errors() {
    let kinds = Kinds::built_in().unwrap();
    let error = kinds.check("pharmacy", "H33030200090").unwrap_err();
    assert_eq!(error.to_string(), "a code of kind pharmacy looks like P 6+5");
    assert!(matches!(kinds.check("hospital", "H33030200090"), Err(KindError::Unknown { .. })));
    for code in ["H3303020009", "H330302000900", "h33030200090", "H3303020009X", "33030200090", ""] {
        assert!(kinds.of_code(code).is_none(), "{code}");
    }
}

#[test]
fn every_fault_is_reported_with_its_line() {
    assert!(Kinds::from_toml("kinds.toml", &(table("a", "H 6+5") + &table("b", "HY 6+5"))).is_ok());
    let text = refused(&(table("a", "H 6+5") + &table("a", "P 6+5")));
    assert_eq!(text, "kinds.toml:13: a is defined twice");
    let text = refused(&(table("a", "S 6+4..6") + &table("b", "S 6+5")));
    assert_eq!(text, "kinds.toml:19: the pattern S 6+5 of b shares codes with another pattern of a");
    assert_eq!(
        refused(&table("a", "H 5+5")),
        "kinds.toml:8: \"H 5+5\" is not a code pattern like \"H 6+5\", \"S 6+4..6\" or \"DW uscc\""
    );
    assert!(refused(&table("a", "H 6+5").replace("reason = \"r\"\n", "")).contains("add its reason"));
    assert!(
        refused(&table("a", "DW uscc"))
            .contains("kinds.toml:8: the pattern DW uscc of a does not match its code scheme")
    );
    assert!(refused(&table("a", "H 6+5").replace("[\"H 6+5\"]", "[]")).contains("no code pattern"));
    assert!(refused(&(table("a", "H 6+5") + "colour = \"red\"\n")).starts_with("kinds.toml:12: "));
}

#[test]
fn natural_persons_are_neither_published_nor_lent_to() {
    let natural = table("a", "D 6+6").replace("\"legal\"", "\"natural\"");
    assert!(Kinds::from_toml("kinds.toml", &natural).is_ok());
    let text = refused(
        &natural.replace("lendable = false", "lendable = true").replace("publishable = false", "publishable = true"),
    );
    assert!(text.contains("kinds.toml:10: ") && text.contains("kinds.toml:11: "), "{text}");
    let uscc = natural.replace("\"national\"", "\"uscc\"").replace("D 6+6", "DW uscc");
    assert!(refused(&uscc).contains("have no unified social credit code"));
}

#[test]
fn the_first_of_a_kinds_models_is_the_current_one() {
    let more = table("a", "H 6+5")
        + "models = [\"one\", \"two\"]\n"
        + &table("b", "P 6+5")
        + &table("c", "D 6+6")
        + "models = [\"three\"]\n";
    let kinds = Kinds::from_toml("kinds.toml", &more).unwrap();
    assert_eq!(kinds.current_models().collect::<Vec<_>>(), ["one", "three"]);
}

#[test]
fn missing_catalogues_and_models_are_reported() {
    let named = table("a", "H 6+5") + "catalogue = \"a\"\nmodels = [\"one\", \"two\"]\n";
    let kinds = Kinds::from_toml("kinds.toml", &named).unwrap();
    assert!(kinds.check_names(|_| true, |_| Some("a")).is_ok());
    let text = kinds.check_names(|_| false, |model| (model == "two").then_some("b")).unwrap_err().to_string();
    assert_eq!(
        text,
        "kinds.toml:2: a names the catalogue a, which does not exist\n\
         kinds.toml:2: a names the model one, which does not exist\n\
         kinds.toml:2: a names the model two, which rates b"
    );
}

proptest! {
    #[test]
    fn a_code_made_by_a_pattern_matches_it_and_no_other(region in 0..=999_999u32, sequence in 0..=99_999u32) {
        let text = format!("H{region:06}{sequence:05}");
        let kinds = Kinds::built_in().unwrap();
        prop_assert!(kinds.check("medical_institution", &text).is_ok());
        prop_assert_eq!(kinds.iter().filter(|kind| kind.matches(&text)).count(), 1);
    }

    #[test]
    fn any_text_is_read_or_refused_without_panic(text in "\\PC{0,20}") {
        let kinds = Kinds::built_in().unwrap();
        let _ = (kinds.of_code(&text), text.parse::<CodePattern>(), Kinds::from_toml("x", &text));
    }
}
