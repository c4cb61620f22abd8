//! docs/PLATFORMS.md: its example can be used, and its tables have every key and every value.

use std::{fs, path::Path};

use medcredit::{
    cli,
    domain::Kinds,
    grading::Library,
    push::platform::{
        AmountUnit, Carrier, CheckedPlatform, DateForm, Encoding, Engine, Format, GradeValue, Reference, UsageValue,
    },
};

use crate::support::{block_on, command::medcredit};

fn page() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/PLATFORMS.md")).unwrap()
}

/// The examples of the page: blocks of TOML.
fn examples(page: &str) -> Vec<String> {
    page.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

/// A person copies the example of the page into a file and checks it.
#[test]
fn the_example_of_the_page_can_be_used() {
    let page = page();
    let examples = examples(&page);
    assert!(!examples.is_empty());
    let (library, kinds) = (Library::shipped().unwrap(), Kinds::built_in().unwrap());
    let reference = Reference { kinds: &kinds, library: &library };
    for example in &examples {
        let checked = CheckedPlatform::parse("fifth.toml", example, Path::new(""), &reference);
        let checked = checked.unwrap_or_else(|error| panic!("{error}"));
        assert!(checked.warnings.is_empty(), "{:?}", checked.warnings);
    }
    block_on(async {
        let folder = tempfile::tempdir().unwrap();
        for (at, example) in examples.iter().enumerate() {
            fs::write(folder.path().join(format!("{at}.toml")), example).unwrap();
        }
        let outcome = medcredit(&["push", "check", folder.path().to_str().unwrap()]).await;
        assert_eq!(outcome.code, cli::DONE, "{}", outcome.err);
        assert_eq!(outcome.out.lines().filter(|line| line.contains(" can be used: ")).count(), examples.len());
    });
}

#[test]
fn every_key_and_value_is_in_both_languages() {
    let page = page();
    let (english, chinese) = page.split_once("\n# 平台").expect("the Chinese part");
    let words = GradeValue::ALL.iter().map(|word| word.as_str());
    let words = words.chain(UsageValue::ALL.iter().map(|word| word.as_str()));
    let words = words.chain(DateForm::ALL.iter().map(|word| word.as_str()));
    let words = words.chain(AmountUnit::ALL.iter().map(|word| word.as_str()));
    let words = words.chain(Format::ALL.iter().map(|word| word.as_str()));
    let words = words.chain(Encoding::ALL.iter().map(|word| word.as_str()));
    let words = words.chain(Engine::ALL.iter().map(|word| word.as_str()));
    let words = words.chain(Carrier::NAMES);
    let mut words: Vec<String> = words.map(str::to_owned).collect();
    words.extend(keys());
    for (language, part) in [("English", english), ("Chinese", chinese)] {
        // The example explains nothing.
        let part: String = part.split("```").step_by(2).collect();
        let quoted: Vec<&str> = part.split('`').skip(1).step_by(2).collect();
        let missing: Vec<_> =
            words.iter().filter(|word| !quoted.iter().any(|text| text.contains(word.as_str()))).collect();
        assert!(missing.is_empty(), "{language}: {missing:?}");
    }
}

/// The keys that files can have, as the errors about unknown keys list them.
fn keys() -> Vec<String> {
    let (library, kinds) = (Library::shipped().unwrap(), Kinds::built_in().unwrap());
    let reference = Reference { kinds: &kinds, library: &library };
    let unknown = "x = 1\n";
    let text = format!(
        "{unknown}[schedule]\n{unknown}[carrier.https]\n{unknown}[carrier.file]\n{unknown}[carrier.file.sftp]\n{unknown}\
         [carrier.exchange]\n{unknown}[carrier.exchange.tables]\n{unknown}[carrier.exchange.columns]\n{unknown}\
         [carrier.exchange.control]\n{unknown}[grades]\n{unknown}[[grades.field]]\n{unknown}"
    );
    let error = CheckedPlatform::parse("all.toml", &text, Path::new(""), &reference).unwrap_err();
    let unknown: Vec<_> =
        error.faults.iter().filter_map(|fault| fault.message.split_once("is unknown; there are: ")).collect();
    assert_eq!(unknown.len(), 11, "{error}");
    unknown.iter().flat_map(|(_, keys)| keys.split(", ").map(str::to_owned)).collect()
}
