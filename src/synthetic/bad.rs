//! Bad data on purpose: a row for each way in which files go wrong, with its expected result.

use std::fmt::Write;

use super::{SyntheticError, files::Folder};

/// A row of a file and its expected result.
struct Case {
    file: &'static str,
    /// What is unusual about it.
    what: &'static str,
    /// `reject`, `warning` or `taken`; with the column and code of the finding, if there is one.
    outcome: &'static str,
    column: &'static str,
    code: &'static str,
    row: &'static str,
}

const FIRST: &str = "1-subjects.csv";
const LATER: &str = "2-subjects-later.csv";
const MONTHS: &str = "3-settlements.csv";
const REVISIONS: [&str; 3] = ["4-settlements-revised.csv", "5-settlements-revised.csv", "6-settlements-revised.csv"];
const FACTS: &str = "7-records.csv";
/// The expected results, for programs.
const EXPECTED: &str = "expected.csv";

/// An expected finding.
#[derive(Clone, Copy)]
struct Expected {
    column: &'static str,
    code: &'static str,
}

const fn at(column: &'static str, code: &'static str) -> Expected {
    Expected { column, code }
}

const fn taken(file: &'static str, what: &'static str, row: &'static str) -> Case {
    Case { file, what, outcome: "taken", column: "", code: "", row }
}

const fn warned(file: &'static str, what: &'static str, finding: Expected, row: &'static str) -> Case {
    Case { file, what, outcome: "warning", column: finding.column, code: finding.code, row }
}

const fn rejected(file: &'static str, what: &'static str, finding: Expected, row: &'static str) -> Case {
    Case { file, what, outcome: "reject", column: finding.column, code: finding.code, row }
}

const CASES: &[Case] = &[
    rejected(
        FIRST,
        "the last check character of the USCC is wrong; --accept-uscc-mismatch takes it with a warning",
        at("uscc", "uscc_check_mismatch"),
        "medical_institution,H33030290001,91330302MA2AB3C47K,合成校验错误诊所,330302,未定级,,,,,2019-05-01,active,active",
    ),
    rejected(
        FIRST,
        "a code of an early pilot, which fails the check although it is real in form",
        at("uscc", "uscc_check_mismatch"),
        "medical_institution,H33030290002,91350203M0001FUE2P,合成试点代码诊所,330302,未定级,,,,,2019-05-01,active,active",
    ),
    warned(
        FIRST,
        "the USCC in lower case; kept in upper case",
        at("uscc", "uscc_lower_case"),
        "medical_institution,H33030290003,91330302ma2ab3c47j,合成小写诊所,330302,未定级,,,,,2019-05-01,active,active",
    ),
    taken(
        FIRST,
        "a full-width figure in the USCC; stored as ASCII",
        "medical_institution,H33030290004,9133030\u{ff12}MA2AB3C47J,合成全角诊所,330302,未定级,,,,,2019-05-01,active,active",
    ),
    taken(
        FIRST,
        "an identity number that ends in X",
        "medical_institution,H33030290005,12330300470001016F,合成末位诊所,330302,一级,,01,33999919660704007X,合成末位,2019-05-01,active,active",
    ),
    taken(
        FIRST,
        "born on the 29th of February of a leap year",
        "medical_institution,H33030290006,12330300470001016F,合成闰日诊所,330302,一级,,01,339999199202290007,合成闰日,2019-05-01,active,active",
    ),
    rejected(
        FIRST,
        "born on the 29th of February of a year that has none",
        at("id_number", "id_number_invalid"),
        "medical_institution,H33030290007,12330300470001016F,合成平年诊所,330302,一级,,01,339999199302290004,合成平年,2019-05-01,active,active",
    ),
    rejected(
        FIRST,
        "an identity number of 15 digits, no certificate any more",
        at("id_number", "id_number_invalid"),
        "medical_institution,H33030290008,12330300470001016F,合成旧证诊所,330302,一级,,01,339999660704000,合成旧证,2019-05-01,active,active",
    ),
    taken(
        FIRST,
        "a sole trader",
        "pharmacy,P33038190001,92330381MA2CD5EF8R,合成个体药店,330381,,,,,,2019-05-01,active,active",
    ),
    taken(
        FIRST,
        "an institution before its merger",
        "medical_institution,H33030490009,52330304MJ8765K12B,合成合并前医院,330304,二级,,,,,2015-05-01,active,active",
    ),
    warned(
        LATER,
        "the sole trader has become a company: its USCC changes, consents of the old one do not cover the code",
        at("uscc", "uscc_changed"),
        "pharmacy,P33038190001,91330381MA2HK7LM8Y,合成个转企药店,330381,,,,,,2019-05-01,active,active",
    ),
    warned(
        LATER,
        "the code was reissued to another legal entity after a merger",
        at("uscc", "uscc_changed"),
        "medical_institution,H33030490009,12330300470001016F,合成合并后医院,330304,二级,,,,,2026-01-01,active,active",
    ),
    taken(
        MONTHS,
        "a negative month: money is clawed back",
        "H33030290005,2025-07,employee,40,30,-500000,-500000,-500000,-485000,-10000,-5000,0,0,0,-495000,final,2025-09-29",
    ),
    taken(
        MONTHS,
        "a month of zero: settlement is suspended",
        "H33030290005,2025-08,employee,0,0,0,0,0,0,0,0,0,0,0,0,final,2025-10-30",
    ),
    taken(
        MONTHS,
        "a month with a prepayment",
        "H33030490009,2025-07,employee,9000,6000,320000000,210000000,200000000,311000000,8000000,1000000,0,120000000,0,319000000,final,2025-09-29",
    ),
    taken(
        MONTHS,
        "the next month takes the prepayment back",
        "H33030490009,2025-08,employee,9000,6000,320000000,210000000,200000000,71000000,8000000,1000000,0,0,120000000,79000000,final,2025-10-30",
    ),
    warned(
        MONTHS,
        "paid is not settled less what is withheld: taken, and flagged wherever it is read",
        at("paid_fen", "identity_gap"),
        "H33030290006,2025-07,employee,400,300,8000000,5000000,5000000,4900000,150000,20000,0,0,0,4980000,final,2025-09-29",
    ),
    taken(
        MONTHS,
        "a month that three later files revise: version 4 is the current one in the end",
        "H33030290006,2025-08,employee,400,300,8000000,5000000,5000000,4830000,150000,20000,0,0,0,4980000,provisional,2025-09-25",
    ),
    rejected(
        MONTHS,
        "the same month twice in one file",
        at("", "duplicate_row"),
        "H33030290006,2025-08,employee,400,300,8000000,5000000,5000000,4830000,150000,20000,0,0,0,4980000,provisional,2025-09-25",
    ),
    rejected(
        MONTHS,
        "an amount in yuan with decimals",
        at("settled_fen", "amount_malformed"),
        "H33030290006,2025-09,employee,400,300,8000000,5000000,50000.00,4830000,150000,20000,0,0,0,4980000,final,2025-11-29",
    ),
    rejected(
        MONTHS,
        "a subject that nobody imported",
        at("subject_code", "subject_unknown"),
        "H33030299999,2025-08,employee,400,300,8000000,5000000,5000000,4830000,150000,20000,0,0,0,4980000,final,2025-10-30",
    ),
    taken(
        REVISIONS[0],
        "its first revision",
        "H33030290006,2025-08,employee,400,300,8000000,5000000,4900000,4730000,150000,20000,0,0,0,4880000,provisional,2025-10-10",
    ),
    taken(
        REVISIONS[1],
        "its second revision",
        "H33030290006,2025-08,employee,400,300,8000000,5000000,4800000,4630000,150000,20000,0,0,0,4780000,provisional,2025-10-20",
    ),
    taken(
        REVISIONS[2],
        "its third revision, cleared",
        "H33030290006,2025-08,employee,400,300,8000000,5000000,4700000,4530000,150000,20000,0,0,0,4680000,final,2025-10-30",
    ),
    taken(FACTS, "a fact as it should be", "H33030290005,insurance_commendation,1,2025-10-09,医保局,BAD-1"),
    rejected(
        FACTS,
        "a fact of a subject that nobody imported: reported with its line, not dropped",
        at("subject_code", "subject_unknown"),
        "H33030299999,insurance_commendation,1,2025-10-09,医保局,BAD-2",
    ),
    rejected(
        FACTS,
        "a fact of a measure that the catalogue does not have",
        at("measure", "measure_unknown"),
        "H33030290005,no_such_measure,1,2025-10-09,医保局,BAD-3",
    ),
    rejected(
        FACTS,
        "a fact of the 29th of February of a year that has none",
        at("occurred_on", "date_malformed"),
        "H33030290005,insurance_commendation,1,2025-02-29,医保局,BAD-4",
    ),
    rejected(
        FACTS,
        "an event that is two",
        at("value", "value_out_of_range"),
        "H33030290005,insurance_commendation,2,2025-10-09,医保局,BAD-5",
    ),
    rejected(
        FACTS,
        "a fact that expired long before any half-year that can still be graded",
        at("occurred_on", "fact_expired"),
        "H33030290005,insurance_commendation,1,1999-10-09,医保局,BAD-6",
    ),
    warned(
        FACTS,
        "a fact from somebody who is not the category's provider",
        at("source", "provider_unexpected"),
        "H33030290005,insurance_commendation,1,2025-10-10,教育局,BAD-7",
    ),
];

/// The number of codes of one legal entity.
const ONE_USCC_MANY_CODES: usize = 40;

/// Writes the files into a folder of their own.
pub(super) fn write(folder: &Folder) -> Result<(), SyntheticError> {
    let mut bad = folder.subfolder("bad")?;
    let mut expected = bad.table(EXPECTED, "file,line,what,outcome,column,code")?;
    let files: [&str; 7] = [FIRST, LATER, MONTHS, REVISIONS[0], REVISIONS[1], REVISIONS[2], FACTS];
    for file in files {
        let mut table = match file {
            FIRST | LATER => bad.subject_table(file)?,
            FACTS => bad.record_table(file)?,
            _ => bad.settlement_table(file)?,
        };
        // The header is line 1.
        let mut line = 1;
        let mut line_of = |case: &Case| {
            line += 1;
            expected.row(&[file, &line.to_string(), case.what, case.outcome, case.column, case.code])
        };
        for case in CASES.iter().filter(|case| case.file == file) {
            let fields: Vec<&str> = case.row.split(',').collect();
            table.row(&fields)?;
            line_of(case)?;
        }
        if file == FIRST {
            for shop in 1..=ONE_USCC_MANY_CODES {
                let row = format!(
                    "pharmacy,P330302{:05},913303270252641A0B,合成四十店连锁{shop}店,330302,,,,,,2019-05-01,active,active",
                    91_000 + shop
                );
                let fields: Vec<&str> = row.split(',').collect();
                table.row(&fields)?;
                line_of(&taken(FIRST, "one USCC with forty P codes", ""))?;
            }
        }
        table.finish()?;
    }
    expected.finish()
}

/// The cases in words, for the README.
pub(super) fn description() -> String {
    let mut text = String::from(
        "
The files in bad/ go wrong on purpose; import them in the order of their numbers. The expected result of each row, which
bad/expected.csv has for programs too:
",
    );
    let mut last = "";
    for case in CASES {
        if case.file != last {
            let _ = writeln!(text, "\n{}", case.file);
            last = case.file;
        }
        let code = if case.code.is_empty() { String::new() } else { format!(" ({})", case.code) };
        // Writing into a String cannot fail.
        let _ = writeln!(text, "  {}{code}: {}", case.outcome, case.what);
        if case.what == "an institution before its merger" {
            text.push_str("  taken: one USCC with forty P codes\n");
        }
    }
    text
}
