//! The small city of the tests: two entities with their institutions, settlements and grades.

use std::sync::Arc;

use medcredit::{
    domain::Month,
    grading::Rounds,
    importing::{Importer, Options, References, Template},
    store::{Arg, Crypter},
};

use crate::support::{TestStore, logs::never_logged};

/// An entity with two institutions and a pharmacy.
pub const ENTITY: &str = "91330302MA2AB3C47J";
/// Its hospital, graded good.
pub const HOSPITAL: &str = "H33030200001";
/// Its clinic, graded excellent, with few visits in one month.
pub const CLINIC: &str = "H33030200002";
/// Its pharmacy, not evaluated yet.
pub const PHARMACY: &str = "P33030200017";
/// Another entity.
pub const OTHER_ENTITY: &str = "52330304MJ8765K12B";
/// Its institution, graded medium: not in good standing.
pub const MEDIUM: &str = "H33030400003";
/// Its newest institution: its agreement is younger than a year.
pub const YOUNG: &str = "H33030400004";

const SUBJECTS: &str = "kind,code,uscc,name,region,level,parent_code,id_type,id_number,legal_representative,agreement_signed_on,agreement_status,licence_status
medical_institution,H33030200001,91330302MA2AB3C47J,合成鹿城医院,330302,二级,,01,330302198001010019,合成代表甲,2015-05-01,active,active
medical_institution,H33030200002,91330302MA2AB3C47J,合成鹿城门诊,330302,一级,,01,330302198001010019,合成代表甲,2016-05-01,active,active
pharmacy,P33030200017,91330302MA2AB3C47J,合成鹿城药店,330302,,,01,330302198001010019,合成代表甲,2018-05-01,active,active
medical_institution,H33030400003,52330304MJ8765K12B,合成瓯海医院,330304,一级,,,,,2017-05-01,active,active
medical_institution,H33030400004,52330304MJ8765K12B,合成瓯海诊所,330304,一级,,,,,2025-10-01,active,active
";

/// Settlements of 2025-01 to 2026-02. Their amounts add up; one month of the clinic has few visits, the last is provisional.
fn settlements() -> String {
    let mut csv = "subject_code,month,insurance,visits,persons,billed_fen,claimed_fen,settled_fen,paid_fen,retained_fen,disallowed_fen,deducted_fen,prepaid_fen,offset_fen,payable_fen,status,as_of\n".to_owned();
    for code in [HOSPITAL, CLINIC, MEDIUM] {
        for number in 0..14 {
            let month: Month = Month::new(2025, 1).unwrap().plus(number);
            let visits = if code == CLINIC && number == 3 { 7 } else { 100 + i64::from(number) };
            let status = if number >= 13 { "provisional" } else { "final" };
            for insurance in ["employee", "resident"] {
                let paid = 1_000_000 - 20_000 - 3_000 - 1_000;
                csv.push_str(&format!(
                    "{code},{month},{insurance},{visits},{visits},2000000,1200000,1000000,{paid},20000,3000,1000,0,0,{paid},{status},{}\n",
                    month.plus(1).last_day()
                ));
            }
        }
    }
    csv
}

pub(super) async fn import(store: &TestStore, directory: &tempfile::TempDir, crypter: Arc<Crypter>) {
    for row in SUBJECTS.lines().skip(1) {
        let cells: Vec<_> = row.split(',').collect();
        // Code, USCC, name, identity number, legal representative: none of them is for a log (I8).
        for personal in [1, 2, 3, 8, 9] {
            never_logged(cells[personal]);
        }
    }
    let library = crate::support::library();
    let references = References::built_in(library.catalogues().cloned()).unwrap();
    let importer = Importer::new(store.env(), crate::support::operator("tester"), crypter, references);
    for (template, name, text) in [
        (Template::Subjects, "subjects.csv", SUBJECTS.to_owned()),
        (Template::Settlements, "settlements.csv", settlements()),
    ] {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        let report = importer.import(template, &path, &Options::default(), &mut |_| {}).await.unwrap();
        assert_eq!(report.rejected, 0, "{report:?}");
    }
    let rounds = Rounds::new(store.env());
    let model = library.get("wenzhou-institution").unwrap();
    let period = "2025-H2".parse().unwrap();
    let run = rounds.run(crate::support::tester(), model, period, &|_, _| {}).await.unwrap();
    rounds.publish(crate::support::tester(), &run.id.to_string(), 1).await.unwrap();
    // Without records every grade is bad: the grades that tests expect are written over it.
    for (code, grade) in [(HOSPITAL, "good"), (CLINIC, "excellent"), (MEDIUM, "medium")] {
        let mut tx = store.db.begin("test").await.unwrap();
        let changed = tx
            .execute(
                "UPDATE assessments SET grade = $2 WHERE subject_code = $1 AND status = 'graded'",
                vec![Arg::from(code), Arg::from(grade)],
            )
            .await
            .unwrap();
        assert_eq!(changed, 1, "{code}");
        tx.commit().await.unwrap();
    }
}
