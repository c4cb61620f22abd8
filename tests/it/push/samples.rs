//! The samples among the shipped platforms: a round is exported to each, and its data file is what the platform's side reads,
//! without any code of the program.

use std::collections::BTreeMap;

use medcredit::push::platform::{Carrier, Engine, Folder, GradesSchedule, Identifier, Schedule, UsageSchedule};
use serde_json::Value;

use super::{BUREAU, export, platform, round};
use crate::support::{TestStore, both_engines};

/// A subject of the round, whose unified social credit code and name the tests set.
const SUBJECT: &str = "H33030200011";
const USCC: &str = "12330302MB0P00011K";

both_engines! {
    a_municipal_platform_over_https_reads_json,
    a_provincial_platform_reads_the_columns_of_its_tables,
    credit_china_reads_a_file_in_gb18030,
    an_enterprise_publicity_system_reads_xml,
}

/// The data file of a platform, of a round with one institution under a name and a code.
async fn data(store: TestStore, id: &str) -> (Vec<u8>, String) {
    let (bureau, key, run) = round(store).await;
    let change = format!("UPDATE subjects SET uscc = '{USCC}', name = '示范<医院>&𠮷' WHERE code = $1");
    bureau.set(SUBJECT, Box::leak(change.into_boxed_str())).await;
    (export(&bureau, &key, &run, &platform(id)).await.unwrap().package.data, run)
}

/// What every sample says of the institution, by the platform's names.
fn check(record: &BTreeMap<String, String>, expected: &[(&str, &str)]) {
    for (name, text) in expected {
        assert_eq!(record.get(*name).map(String::as_str), Some(*text), "{name}: {record:#?}");
    }
}

/// A municipal platform over HTTPS: members in the platform's names, absent values left out.
async fn a_municipal_platform_over_https_reads_json(store: TestStore) {
    let to = platform("municipal-credit-service");
    let Carrier::Https(https) = &to.carrier else { panic!("{:?}", to.carrier) };
    assert_eq!((https.page_rows, https.in_flight, https.timeout.as_secs(), https.allow.len()), (500, 8, 30, 3));
    let schedule = Schedule { grades: Some(GradesSchedule::OnChange), usage: Some(UsageSchedule::Monthly) };
    assert_eq!(to.schedule, schedule);
    let (data, run) = data(store, "municipal-credit-service").await;
    let text = String::from_utf8(data).unwrap();
    let records: Vec<BTreeMap<String, String>> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(records.len(), 30);
    let id = format!("wenzhou-951:2025-H2:{SUBJECT}");
    let record = records.iter().find(|record| record["recordId"] == id).unwrap();
    check(
        record,
        &[
            ("recordVersion", "1"),
            ("operateType", "I"),
            ("batchNo", &run),
            ("evaluateOrg", "示范市医疗保障局"),
            ("evaluateOrgCode", BUREAU),
            ("evaluatePeriod", "2025-H2"),
            ("subjectName", "示范<医院>&𠮷"),
            ("creditCode", USCC),
            ("status", "1"),
            ("underObjection", "0"),
        ],
    );
    assert!(record["score"].parse::<f64>().unwrap() > 0.0 && !record.contains_key("remark"), "{record:?}");
    // In the order of the file, as the platform documents it.
    let first: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert!(text.starts_with("{\"recordId\":") && first["recordId"].is_string(), "{first}");
}

/// A provincial one by a front-end exchange database.
async fn a_provincial_platform_reads_the_columns_of_its_tables(store: TestStore) {
    let to = platform("provincial-credit-exchange");
    let Carrier::Exchange(exchange) = &to.carrier else { panic!("{:?}", to.carrier) };
    assert_eq!(exchange.access.engine, Engine::Postgres);
    let columns: Vec<_> = exchange.columns.iter().map(Identifier::as_str).collect();
    assert_eq!(
        columns,
        ["record_unique_identity", "opt_type", "exchange_flag", "cd_time", "source_dept_code", "env_flag"]
    );
    assert!(!exchange.test && exchange.control.is_some());
    let (data, run) = data(store, "provincial-credit-exchange").await;
    let text = String::from_utf8(data).unwrap();
    let records: Vec<BTreeMap<String, String>> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let record = records.iter().find(|record| record["ztbm"] == SUBJECT).unwrap();
    check(
        record,
        &[
            ("pjpc", &run),
            ("ztlb", "01"),
            ("ztmc", "示范<医院>&𠮷"),
            ("tyshxydm", USCC),
            ("jlzt", "1"),
            ("pjnd", "2025"),
        ],
    );
    assert!(record["pdrq"].len() == 8 && record["fbsj"].ends_with(" 00:00:00"), "{record:?}");
}

/// A 信用中国-style file drop.
async fn credit_china_reads_a_file_in_gb18030(store: TestStore) {
    let to = platform("credit-china");
    let Carrier::File(file) = &to.carrier else { panic!("{:?}", to.carrier) };
    let Folder::Sftp(sftp) = &file.folder else { panic!("{:?}", file.folder) };
    assert_eq!((sftp.port, sftp.directory.as_str()), (22, "/upload/ylbz"));
    let (data, _) = data(store, "credit-china").await;
    let (text, _, broken) = encoding_rs::GB18030.decode(&data);
    assert!(!broken && std::str::from_utf8(&data).is_err());
    let mut rows = csv::Reader::from_reader(text.as_bytes());
    let records: Vec<BTreeMap<String, String>> = rows.deserialize().map(Result::unwrap).collect();
    let record = records.iter().find(|record| record["PJ_XDR_SHXYM"] == USCC).unwrap();
    let zj = format!("wenzhou-951:2025-H2:{SUBJECT}");
    check(
        record,
        &[
            ("PJ_ZJ", &zj),
            ("PJ_CZ", "1"),
            ("PJ_JGDM", BUREAU),
            ("PJ_XDR_MC", "示范<医院>&𠮷"),
            ("PJ_XDR_LB", "法人及非法人组织"),
            ("PJ_ZT", "已评价"),
            ("BZ", ""),
        ],
    );
    assert!(record["PJ_YXQZI"].matches('/').count() == 2 && !record["PJ_DJ"].is_empty(), "{record:?}");
}

/// An enterprise publicity system.
async fn an_enterprise_publicity_system_reads_xml(store: TestStore) {
    let (data, _) = data(store, "enterprise-publicity").await;
    let text = String::from_utf8(data).unwrap();
    assert!(text.starts_with(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ExchangeMessage>\n<Header><item>ENT_CREDIT_GRADE</item></Header>\n\
         <Body>\n<fields><唯一标识>"
    ));
    assert!(text.ends_with("</fields>\n</Body>\n</ExchangeMessage>\n"));
    assert_eq!(text.matches("<fields>").count(), 30);
    let record = text.lines().find(|line| line.contains(USCC)).unwrap();
    for element in [
        format!("<唯一标识>wenzhou-951:2025-H2:{SUBJECT}</唯一标识>"),
        "<企业名称>示范&lt;医院&gt;&amp;𠮷</企业名称>".to_owned(),
        format!("<统一社会信用代码>{USCC}</统一社会信用代码>"),
        "<记录状态>有效</记录状态>".to_owned(),
    ] {
        assert!(record.contains(&element), "{element}: {record}");
    }
}
