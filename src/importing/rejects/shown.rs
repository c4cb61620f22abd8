//! A row as the report shows it: in the order of the file's columns, with personal values masked.

use crate::{
    domain::{ResidentId, Uscc, printable::visible},
    importing::{file_context::FileContext, normalise::normalise},
    store::personal::{masked_name, masked_number},
};

/// The longest text of a cell, in characters: what is longer is a fault of the row, and its beginning is enough.
const MOST_SHOWN: usize = 200;

/// The longest value of a column that has no free text, in bytes.
const MOST_PLAIN: usize = 24;

/// What a column may have in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Content {
    /// Codes, words, days and numbers.
    Plain,
    /// A unified social credit code, which may consist of digits only.
    Uscc,
    /// The name of an institution or a person.
    Name,
    /// A person's name or number.
    Personal,
    /// The level of an institution: a few Chinese words.
    Level,
    /// Free text about institutions: sources and documents.
    Free,
}

fn content(column: &str) -> Content {
    match column {
        "uscc" => Content::Uscc,
        "name" => Content::Name,
        "id_number" | "legal_representative" | "account_number" => Content::Personal,
        "level" => Content::Level,
        "source" | "reference" => Content::Free,
        _ => Content::Plain,
    }
}

/// A row of the report.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct ShownRow {
    /// The cells in the order of the file.
    pub(super) cells: Vec<String>,
    /// The code of the subject that the row is about; empty if the row has none.
    pub(super) subject: String,
    /// The institution's name, where the row has it.
    pub(super) name: String,
    /// The source of the row, where it has one.
    pub(super) source: String,
}

/// Shows the rows of a file.
#[derive(Debug)]
pub(super) struct RowMask<'a> {
    pub(super) file: FileContext<'a>,
}

impl RowMask<'_> {
    pub(super) fn show(&self, record: &csv::StringRecord) -> ShownRow {
        let FileContext { layout, references, .. } = self.file;
        // What the cells mean: 正常, 2026年3月31日 and full-width letters are a word, a day and a code.
        let (understood, _) = normalise(record, self.file);
        let columns = layout.template().all_columns();
        let at = |name: &str| {
            let column = columns.iter().position(|column| *column == name)?;
            layout.position(column).and_then(|at| understood.get(at))
        };
        // In an affiliation the institution; in every other template there is one subject.
        let subject = ["institution_code", "code", "subject_code"].iter().find_map(|name| at(name)).unwrap_or_default();
        // Where the fields of a row are shifted, names and numbers of persons may be in any column.
        let aligned = record.len() == layout.width() && self.is_code(subject);
        let kind = at("kind").map_or_else(|| references.kinds.of_code(subject), |kind| references.kinds.find(kind));
        let legal = aligned && kind.is_some_and(|kind| !kind.is_natural());
        let show = |(position, cell): (usize, &str)| {
            let meaning = understood.get(position).unwrap_or_default();
            let column = layout.name_at(position);
            let shown = match content(column) {
                _ if !aligned => is_plain(cell),
                _ if meaning.is_empty() => true,
                Content::Plain if column == "measure" => {
                    is_plain(meaning) || references.measure(subject, meaning).is_some()
                }
                Content::Personal => false,
                Content::Name => legal && !ResidentId::is_in(cell),
                Content::Level => is_plain(meaning) || cell.contains(['级', '等']) && !ResidentId::is_in(cell),
                Content::Free => !ResidentId::is_in(cell),
                Content::Uscc => is_plain(meaning) || is_uscc(meaning),
                Content::Plain => is_plain(meaning),
            };
            if shown { text(cell) } else { masked(cell) }
        };
        let of = |name: &str| at(name).filter(|cell| aligned && !ResidentId::is_in(cell)).map(text).unwrap_or_default();
        ShownRow {
            cells: record.iter().enumerate().map(show).collect(),
            subject: if aligned { subject.to_owned() } else { String::new() },
            name: if legal { of("name") } else { String::new() },
            source: of("source"),
        }
    }

    /// Whether a text is a code of a subject, or could be one with a fault.
    fn is_code(&self, text: &str) -> bool {
        let digits = text.trim_start_matches(|c: char| c.is_ascii_uppercase());
        let formed = digits.len() < text.len() && digits.bytes().all(|byte| byte.is_ascii_digit());
        (self.file.references.kinds.of_code(text).is_some() || formed) && is_plain(text)
    }
}

/// Whether a value is certainly no name and no number of a person.
fn is_plain(value: &str) -> bool {
    // A resident identity number has 15 digits in its old form.
    let digits = value.bytes().filter(u8::is_ascii_digit).count();
    let code = digits < 15 || value.starts_with(|c: char| c.is_ascii_uppercase()) && !ResidentId::is_in(value);
    value.len() <= MOST_PLAIN && code && value.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Whether a value is a correct unified social credit code, and so no person's number with a fault.
fn is_uscc(value: &str) -> bool {
    Uscc::parse(value).is_ok_and(|uscc| uscc.implausible().is_none() && uscc.mismatches().is_empty())
}

/// A value that may be shown: with the numbers of what cannot be seen, and of bounded length.
fn text(value: &str) -> String {
    let shown = visible(value);
    match shown.char_indices().nth(MOST_SHOWN) {
        Some((end, _)) => format!("{}...", shown.get(..end).unwrap_or_default()),
        None => shown.into_owned(),
    }
}

fn masked(value: &str) -> String {
    let cut: String = value.chars().take(MOST_SHOWN).collect();
    let number = cut.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'x' | b'X'));
    if number { masked_number(&cut) } else { masked_name(&cut) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::importing::{References, Template, layout::Layout};
    use crate::scoring::{Catalogue, shipped};

    fn shown(template: Template, row: &[&str]) -> ShownRow {
        let header: Vec<String> = template.columns().iter().map(|name| (*name).to_owned()).collect();
        let layout = Layout::of(template, &header).unwrap();
        let catalogues = shipped::CATALOGUES.iter().map(|(name, text)| Catalogue::parse(name, text).unwrap());
        let references = References::built_in(catalogues).unwrap();
        let today = "2026-04-01".parse().unwrap();
        let file = FileContext { layout: &layout, today, references: &references, typed: false };
        RowMask { file }.show(&csv::StringRecord::from(row.to_vec()))
    }

    #[test]
    fn a_row_is_shown_as_it_was_without_what_is_personal() {
        let row = shown(
            Template::Subjects,
            &[
                "medical_institution",
                "H33030200091",
                "91330302MA2AB3C47J",
                "合成诊所",
                "330302",
                "一级",
                "",
                "01",
                "330302198001010019",
                "合成甲",
                "2019-05-01",
                "有效",
                "active",
            ],
        );
        assert_eq!((row.subject.as_str(), row.name.as_str()), ("H33030200091", "合成诊所"));
        assert_eq!(row.cells[2..6], ["91330302MA2AB3C47J", "合成诊所", "330302", "一级"]);
        assert_eq!(row.cells[8..12], ["330302********0019", "合**", "2019-05-01", "有*"]);
        let row = shown(
            Template::Records,
            &["H33030200090", "insurance_commendation", "-1.5", "2026-01-05", "医保局", "=温医保〔2026〕7号\u{202e}"],
        );
        assert_eq!(row.cells[2..], ["-1.5", "2026-01-05", "医保局", "=温医保〔2026〕7号<U+202E>"]);
        assert_eq!(row.source, "医保局");
    }

    #[test]
    fn words_codes_and_days_are_shown_as_people_write_them() {
        let cells = [
            "定点零售药店",
            "Ｐ３３０３０２０００１７",
            "'91330302MA2AB3C47J",
            "合成药店",
            "鹿城区",
            "-",
            "P33030200000",
            "居民身份证",
            "无",
            "合成甲",
            "2016年5月4日",
            "履行中",
            "还行",
        ];
        let row = shown(Template::Subjects, &cells);
        assert_eq!(row.cells[..9], cells[..9]);
        // A name, and a word that is none of the column's.
        assert_eq!(row.cells[9..], ["合**", "2016年5月4日", "履行中", "还*"]);
        assert_eq!((row.subject.as_str(), row.name.as_str()), ("P33030200017", "合成药店"));
        let row = shown(Template::Records, &["H33030200090", "医保行政处罚", "1次", "2026/1/5", "医保局", "7号"]);
        assert_eq!(row.cells, ["H33030200090", "医保行政处罚", "1*", "2026/1/5", "医保局", "7号"]);
        let row = shown(Template::Records, &["H33030200090", "合成欧阳秘密", "1", "2026/1/5", "医保局", "7号"]);
        assert_eq!(row.cells[1], "合*****");
    }

    #[test]
    fn a_row_whose_fields_are_shifted_shows_no_name_and_no_number_of_a_person() {
        for template in Template::ALL.iter().copied() {
            let name = vec!["合成欧阳秘密"; template.columns().len()];
            let number = vec!["33030319660704005X"; template.columns().len()];
            for (row, hidden) in [(name, "欧阳秘密"), (number, "19660704")] {
                let shown = format!("{:?}", shown(template, &row));
                assert!(!shown.contains(hidden), "{template}: {shown}");
            }
        }
        let row = shown(Template::Records, &["H33030200090", "合成欧阳秘密", "1", "2026-01-05", "医保局"]);
        assert!(!format!("{row:?}").contains("欧阳"), "{row:?}");
        let person =
            ["doctor", "D330302000123", "", "合成欧阳秘密", "330302", "", "", "", "", "", "", "active", "active"];
        assert!(!format!("{:?}", shown(Template::Subjects, &person)).contains("欧阳"));
    }
}
