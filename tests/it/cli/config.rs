//! `medcredit config check|print`.

use medcredit::cli;

use crate::support::{block_on, command::medcredit};

fn file(text: &str) -> (tempfile::TempDir, String) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("gateway.toml");
    std::fs::write(&path, text).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (directory, path)
}

#[test]
fn a_good_file_passes() {
    let (_directory, path) = file("[store]\nmax_connections = 8\n");
    let said = block_on(medcredit(&["config", "check", "--config", &path])).done();
    assert!(said.contains("can be used"), "{said}");
}

#[test]
fn a_bad_file_ends_with_64_and_every_mistake() {
    let (_directory, path) = file("[store]\nmax_connections = 0\n[log]\nfilter = 'info=nothing'\n");
    for args in [["config", "check", "--config", &path], ["--config", &path, "config", "print"]] {
        let outcome = block_on(medcredit(&args));
        assert_eq!(outcome.code, cli::BAD_CONFIGURATION);
        assert!(outcome.err.contains(":2: store.max_connections"), "{}", outcome.err);
        assert!(outcome.err.contains(":4: log.filter"), "{}", outcome.err);
    }
}

#[test]
fn a_missing_file_ends_with_64() {
    let outcome = block_on(medcredit(&["migrate", "--config", "/nowhere/gateway.toml"]));
    assert_eq!(outcome.code, cli::BAD_CONFIGURATION);
    assert!(outcome.err.contains("/nowhere/gateway.toml: cannot be read"), "{}", outcome.err);
}

#[test]
fn without_a_file_print_shows_the_documented_defaults() {
    let printed = block_on(medcredit(&["config", "print"])).done();
    assert_eq!(printed, include_str!("../../../config/gateway.toml"));
}

#[test]
fn with_a_file_print_shows_what_is_in_effect_and_no_secret() {
    let (directory, path) = file("[store]\nengine = 'postgres'\nurl_file = 'url'\n");
    std::fs::write(directory.path().join("url"), "postgres://medcredit:hunter2@db/medcredit\n").unwrap();
    let printed = block_on(medcredit(&["config", "print", "--config", &path])).done();
    assert!(printed.contains("engine = \"postgres\"") && printed.contains("max_connections = 16"), "{printed}");
    assert!(!printed.contains("hunter2"), "{printed}");
}

/// The kinds that come with the program, and a tenth.
fn ten_kinds() -> String {
    let tenth = "\n[[kind]]\nid = \"care_home\"\nname = \"长护险服务机构\"\nbasis = \"likely\"\nreason = \"a city of its own\"\n\
                 person = \"legal\"\ncode_scheme = \"own\"\ncodes = [\"CH 6+4\"]\ncertificate = \"optional\"\n\
                 lendable = false\npublishable = true\n";
    include_str!("../../../config/kinds.toml").to_owned() + tenth
}

#[test]
fn a_citys_own_kinds_are_checked_with_file_and_line() {
    let (directory, path) = file("[reference]\nkinds_file = 'tables/kinds.toml'\nregions_file = 'regions.toml'\n");
    std::fs::create_dir(directory.path().join("tables")).unwrap();
    let kinds = directory.path().join("tables/kinds.toml");
    let refused = |text: String| {
        std::fs::write(&kinds, text).unwrap();
        let outcome = block_on(medcredit(&["config", "check", "--config", &path]));
        assert_eq!(outcome.code, cli::BAD_CONFIGURATION, "{}", outcome.out);
        outcome.err
    };
    let lines = |upto: &str| 1 + ten_kinds().split(upto).next().unwrap().matches('\n').count();
    let said = refused(ten_kinds().replace("CH 6+4", "CH 4+6"));
    assert!(
        said.contains(&format!("tables/kinds.toml:{}: \"CH 4+6\" is not a code pattern", lines("CH 6+4"))),
        "{said}"
    );
    let said = refused(ten_kinds().replace("wenzhou-institution", "no-such-model"));
    assert!(said.contains(": medical_institution names the model no-such-model, which does not exist"), "{said}");
    let said = refused(ten_kinds().replace("care_home", "doctor"));
    assert!(said.contains(&format!("tables/kinds.toml:{}: doctor is defined twice", lines("\"care_home\""))), "{said}");
    std::fs::write(&kinds, ten_kinds()).unwrap();
    block_on(medcredit(&["config", "check", "--config", &path])).done();
    std::fs::write(directory.path().join("regions.toml"), "[[region]]\ncode = \"4403\"\nname = \"深圳市\"\n").unwrap();
    let outcome = block_on(medcredit(&["config", "check", "--config", &path]));
    assert_eq!(outcome.code, cli::BAD_CONFIGURATION);
    assert!(outcome.err.contains("regions.toml:2: \"4403\" is not a region"), "{}", outcome.err);
}

#[test]
fn a_kind_of_a_citys_own_is_imported_and_one_it_has_not_is_refused() {
    let (directory, path) = file("");
    let at = |name: &str| directory.path().join(name);
    std::fs::create_dir(at("secrets")).unwrap();
    std::fs::write(at("secrets/key-encryption-keys"), crate::importing::KEY).unwrap();
    let bare = ten_kinds().replace("catalogue = \"agency\"\nmodels = [\"wenzhou-agency\"]\n", "");
    let renamed = bare.replace("id = \"agency\"", "id = \"office\"");
    std::fs::write(at("kinds.toml"), renamed).unwrap();
    let rows = "care_home,CH3303020001,12330300470001016F,合成护理院,330302,,,,,,2020-01-01,active,active\n\
                agency,S33030200001,12330300470001016F,合成经办,330302,,,,,,2020-01-01,active,active\n";
    std::fs::write(at("subjects.csv"), format!("{}{rows}", crate::importing::SUBJECTS)).unwrap();
    block_on(async {
        medcredit(&["migrate", "--config", &path]).await.done();
        let outcome = medcredit(&["import", "subjects", at("subjects.csv").to_str().unwrap(), "--config", &path]).await;
        assert_eq!(outcome.code, cli::FAILED, "a row was rejected");
        assert!(outcome.out.contains("2 rows, 1 accepted, 1 rejected"), "{}", outcome.out);
        let rejects = std::fs::read_to_string(at("subjects.csv.rejects.csv")).unwrap();
        assert!(
            rejects.contains("3,kind,没有该主体类别,\"is not a kind of subject: use medical_institution,"),
            "{rejects}"
        );
        // The city takes its own table away again: the doctor says what hangs in the air.
        std::fs::remove_file(at("kinds.toml")).unwrap();
        let outcome = medcredit(&["doctor", "--config", &path]).await;
        assert!(outcome.out.contains("the store has 1 subjects of kind care_home"), "{}", outcome.out);
    });
}
