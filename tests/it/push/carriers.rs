//! Carriers in the files of platforms: exactly one, with an address that can be called, names that the target can have, and
//! credentials in files.

use std::fs;

use medcredit::{
    domain::Kinds,
    grading::Library,
    push::platform::{CheckedPlatform, Reference},
};

use super::files::{edited, fault, faults, parse, shipped};

#[test]
fn a_platform_has_exactly_one_carrier() {
    let none =
        "[carrier.file]\nformat = \"csv\"\nencoding = \"utf-8\"\ndirectory = \"../outgoing/city-credit-platform\"\n";
    let missing = faults("city-credit-platform", &[(none, "")]);
    assert_eq!(
        missing,
        [(
            1,
            "the carrier is missing: give exactly one of [carrier.https], [carrier.file], [carrier.exchange]"
                .to_owned()
        )]
    );
    let more = "[carrier.exchange]\n[carrier.file]\n";
    let two = faults("city-credit-platform", &[("[carrier.file]\n", more)]);
    assert!(two.iter().any(|(_, said)| said.starts_with("there are 2 carriers, file and exchange: give")), "{two:?}");
    assert!(two.iter().any(|(_, said)| said == "[carrier.exchange]: `url_file` is missing"), "of both: {two:?}");
    let nowhere = faults("city-credit-platform", &[("directory = \"../outgoing/city-credit-platform\"\n", "")]);
    assert!(
        matches!(&nowhere[..], [(_, said)] if said.starts_with("[carrier.file]: give either `directory`")),
        "{nowhere:?}"
    );
    let json = fault("oujiang-score", "encoding = \"utf-8\"", "encoding = \"gb18030\"");
    assert!(json.contains("JSON is always in UTF-8"), "{json}");
    parse(&edited("enterprise-publicity", &[("encoding = \"utf-8\"", "encoding = \"gb18030\"")])).unwrap();
}

#[test]
fn addresses_and_host_keys_are_checked() {
    let url = |to: &str| {
        fault(
            "municipal-credit-service",
            "url = \"https://credit.example.gov.cn/api/evaluation\"",
            &format!("url = \"{to}\""),
        )
    };
    assert!(url("https://user:word@credit.example.gov.cn/").contains("contains a user: credentials are in files"));
    assert!(url("https://credit.example.gov.cn/?token=1").contains("contains a query"));
    assert!(url("https://8.8.8.8").contains("the address 8.8.8.8 is in none of the networks of `allow`"));
    assert!(url("credit.example.gov.cn").contains("is not of the form https://"));
    let good = edited(
        "municipal-credit-service",
        &[("https://credit.example.gov.cn/api", "https://[::ffff:10.1.2.3]:8443/api")],
    );
    parse(&good).unwrap();
    let network = fault("municipal-credit-service", "\"10.0.0.0/8\"", "\"10.1.0.0/8\"");
    assert!(network.ends_with("write 10.0.0.0/8"), "{network}");
    for to in ["ssh-rsa AAAA", "ssh-ed25519 AAAA", "ssh-ed25519", "ecdsa-sha2-nistp256 AAAAC3NzaC1lZDI1NTE5AAAAIAAA"] {
        let line = shipped("credit-china").lines().find(|line| line.starts_with("host_key")).unwrap();
        let key = fault("credit-china", line, &format!("host_key = \"{to}\""));
        assert!(key.contains("`host_key` is not a public key"), "{key}");
    }
}

#[test]
fn limits_and_names_of_files_are_checked() {
    let of = "municipal-credit-service";
    let limit =
        |key: &str, value: &str| faults(of, &[("[carrier.https]\n", &format!("[carrier.https]\n{key} = {value}\n"))]);
    for (key, value, range) in [
        ("connect_timeout_seconds", "0", "from 1 to 600"),
        ("largest_answer_bytes", "100", "from 1024 to 67108864"),
        ("largest_answer_bytes", "1000000000", "from 1024 to 67108864"),
    ] {
        let said = limit(key, value);
        assert!(matches!(&said[..], [(_, said)] if said.contains(key) && said.contains(range)), "{said:?}");
    }
    let of = "city-credit-platform";
    let file = |line: &str| faults(of, &[("[carrier.file]\n", &format!("[carrier.file]\n{line}\n"))]);
    for source in ["../up", "医保局", "", "a b"] {
        let said = file(&format!("source = \"{source}\""));
        assert!(matches!(&said[..], [(_, said)] if said.contains("`source`")), "{said:?}");
    }
    let said = file("record_columns = 1");
    assert!(matches!(&said[..], [(_, said)] if said.contains("must be true or false")), "{said:?}");
    let dataset = shipped(of).lines().find(|line| line.starts_with("dataset")).unwrap();
    let said = faults(of, &[(dataset, "dataset = \"../x\"")]);
    assert!(matches!(&said[..], [(_, said)] if said.contains("cannot be in a file name")), "{said:?}");
    let columns = file("record_columns = true");
    let named: Vec<_> = columns.iter().map(|(_, said)| said.split(" has the name").next().unwrap()).collect();
    assert_eq!(named, ["the field record_id", "the field version", "the field operation"], "{columns:?}");
}

#[test]
fn names_fit_the_carrier_and_are_unique() {
    let of = "provincial-credit-exchange";
    let name = |to: &str| fault(of, "name = \"ztmc\"", &format!("name = {to:?}"));
    let quoted = name("zt\"; DROP TABLE x");
    assert!(
        quoted.contains("cannot be a name in an exchange database: use letters, digits and underscores"),
        "{quoted}"
    );
    for bad in ["主体名称", &"a".repeat(64), "a-b", "a b"] {
        assert!(name(bad).contains("cannot be a name in an exchange database"), "{bad}");
    }
    parse(&edited(of, &[("name = \"ztmc\"", &format!("name = \"{}\"", "a".repeat(63)))])).unwrap();
    assert_eq!(
        name("OPT_TYPE"),
        "the field OPT_TYPE is a column of [carrier.exchange.columns], which the carrier fills"
    );
    assert_eq!(faults(of, &[("name = \"tyshxydm\"", "name = \"ZTMC\"")])[0].1, "the field ZTMC is there twice");
    let table = fault(of, "grades = \"t_ylbz_xypj\"", "grades = \"t;x\"");
    assert!(table.contains("\"t;x\" cannot be a name"), "{table}");
    let columns = faults(of, &[("switch = \"exchange_flag\"", "switch = \"OPT_TYPE\"")]);
    assert!(matches!(&columns[..], [(_, said)] if said.ends_with("the column OPT_TYPE is named twice")), "{columns:?}");
    let xml = fault("enterprise-publicity", "name = \"企业名称\"", "name = \"1企业\"");
    assert!(xml.contains("cannot be the name of an XML element"), "{xml}");
    assert_eq!(fault("credit-china", "name = \"DFBM\"", "name = \"PJ_DQ\""), "the field PJ_DQ is there twice");
}

#[test]
fn each_package_has_a_schedule_and_a_table() {
    let of = "provincial-credit-exchange";
    let table = faults(of, &[("usage = \"t_ylbz_xyyy\"\n", "")]);
    assert!(matches!(&table[..], [(_, said)] if said.starts_with("the package [usage] has no table")), "{table:?}");
    let schedule = faults(of, &[("usage = \"half_yearly\"\n", "")]);
    assert!(
        matches!(&schedule[..], [(_, said)] if said.starts_with("the package [usage] is never sent")),
        "{schedule:?}"
    );
    let department = faults(of, &[("source_department = \"330300000036\"\n", "")]);
    assert!(
        matches!(&department[..], [(_, said)] if said.contains("are given together or not at all")),
        "{department:?}"
    );
}

#[test]
fn a_page_that_is_delivered_twice_can_be_recognised() {
    let of = "provincial-credit-exchange";
    let text = shipped(of);
    let control = &text[text.find("[carrier.exchange.control]").unwrap()..text.find("[grades]").unwrap()];
    let said = faults(of, &[(control, "")]);
    assert!(
        matches!(&said[..], [(_, said)] if said.contains("could not be recognised") && said.contains("`batch`")),
        "{said:?}"
    );
    parse(&edited(of, &[(control, ""), ("env_flag\"\n", "env_flag\"\nbatch = \"batch_no\"\n")])).unwrap();
    let column = faults(of, &[("env_flag\"\n", "env_flag\"\nversion = \"a b\"\nnote = \"cd_time\"\n")]);
    assert_eq!(column.len(), 2, "{column:?}");
}

#[test]
fn credentials_that_cannot_be_read_are_warnings() {
    let folder = tempfile::tempdir().unwrap();
    let (library, kinds) = (Library::shipped().unwrap(), Kinds::built_in().unwrap());
    let reference = Reference { kinds: &kinds, library: &library };
    let text = edited("municipal-credit-service", &[("../secrets/municipal-credit-service.key", "here.key")]);
    fs::write(folder.path().join("here.key"), "k").unwrap();
    let checked = CheckedPlatform::parse("p.toml", &text, folder.path(), &reference).unwrap();
    let said: Vec<_> =
        checked.unreadable_credentials().into_iter().map(|fault| (fault.line.unwrap(), fault.message)).collect();
    let line = |key: &str| text.lines().position(|line| line.starts_with(key)).unwrap() + 1;
    assert_eq!(
        said.iter().map(|(line, _)| *line).collect::<Vec<_>>(),
        [line("certificate_file"), line("authority_file")]
    );
    assert!(said[0].1.contains("municipal-credit-service.crt cannot be read"), "{said:?}");
}
