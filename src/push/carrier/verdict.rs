//! An entry about a record as a receiver writes it, in a row of a file or an object of JSON: the same names and words in both.

use serde_json::Value;

use super::{Held, RejectReason, RowReceipt, Verdict};
use crate::domain::printable::{first_unprintable, visible};

/// The longest record id, in characters.
const LONGEST_ID: usize = 200;
/// How much of a receiver's note is read, in characters.
const LONGEST_NOTE: usize = 500;

/// The names of the values, in English and Chinese.
const RECORD: &[&str] = &["record_id", "记录编号", "唯一标识", "主键"];
const VERSION: &[&str] = &["version", "版本"];
const VERDICT: &[&str] = &["verdict", "结果", "处理结果"];
const REASON: &[&str] = &["reason", "原因代码", "原因"];
const NOTE: &[&str] = &["note", "说明", "备注"];
const DIGEST: &[&str] = &["digest", "摘要"];

/// The words of a verdict.
const ACCEPTED: &[&str] = &["accepted", "接收", "已接收", "通过", "成功"];
const REJECTED: &[&str] = &["rejected", "拒绝", "驳回", "退回", "不通过", "失败"];

/// The values of an entry with their names, unverified.
#[derive(Debug, Default)]
pub(super) struct Entry(Vec<(String, String)>);

impl Entry {
    /// An entry out of names and values. Spaces around them and the case of names do not count.
    pub(super) fn new<'a>(values: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        Self(values.map(|(name, value)| (name.trim().to_lowercase(), value.trim().to_owned())).collect())
    }

    /// An entry out of a JSON object: values are texts or numbers, and null is none.
    pub(super) fn of_json(value: &Value) -> Result<Self, String> {
        let object = value.as_object().ok_or("it is no JSON object")?;
        let text = |value: &Value| match value {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        };
        let values: Vec<_> = object.iter().filter_map(|(name, value)| Some((name.as_str(), text(value)?))).collect();
        Ok(Self::new(values.iter().map(|(name, value)| (*name, value.as_str()))))
    }

    fn find(&self, names: &[&str]) -> Option<&str> {
        let value = |name: &&str| self.0.iter().find(|(own, value)| own == name && !value.is_empty());
        names.iter().find_map(value).map(|(_, value)| value.as_str())
    }

    fn get(&self, names: &[&str]) -> Result<&str, String> {
        self.find(names).ok_or_else(|| format!("it has no {}", names.join(" / ")))
    }

    fn record(&self) -> Result<(String, i64), String> {
        let id = self.get(RECORD)?;
        if id.chars().count() > LONGEST_ID || first_unprintable(id).is_some() {
            return Err(format!("its record_id is not of at most {LONGEST_ID} printable characters"));
        }
        let version = self.get(VERSION)?;
        let number = version.parse().ok().filter(|number| *number > 0);
        let number = number.ok_or_else(|| format!("its version is {:?} and no number from 1", cut(version)))?;
        Ok((id.to_owned(), number))
    }

    /// The entry as an answer about a row.
    pub(super) fn receipt(&self) -> Result<RowReceipt, String> {
        let (record_id, version) = self.record()?;
        let word = self.get(VERDICT)?.to_lowercase();
        let verdict = if ACCEPTED.contains(&word.as_str()) {
            Verdict::Accepted
        } else if REJECTED.contains(&word.as_str()) {
            let (reason, note) = self.rejection();
            Verdict::Rejected { reason, note }
        } else {
            return Err(format!("its verdict is {:?}: write accepted (通过) or rejected (驳回)", cut(&word)));
        };
        Ok(RowReceipt { record_id, version, verdict })
    }

    /// The reason, and the receiver's words. A rejection counts also with a reason that is not among ours.
    fn rejection(&self) -> (RejectReason, Option<String>) {
        let (reason, note) = (self.find(REASON), self.find(NOTE).map(cut));
        if let Some(Ok(reason)) = reason.map(str::parse) {
            return (reason, note);
        }
        // Nothing that the receiver wrote is lost: an operator reads it.
        let words: Vec<_> = reason.map(cut).into_iter().chain(note).collect();
        (RejectReason::Other, (!words.is_empty()).then(|| words.join(": ")))
    }

    /// The entry as a record that the receiver holds.
    pub(super) fn held(&self) -> Result<Held, String> {
        let (record_id, version) = self.record()?;
        let digest = self.get(DIGEST)?.to_ascii_lowercase();
        if digest.len() != 64 || !digest.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err("its digest is no SHA-256 in 64 hexadecimal digits".into());
        }
        Ok(Held { record_id, version, digest })
    }
}

/// Reads entries. Those that cannot be read do not hide the others: each has its position, from 0, and what is wrong with it.
pub(super) fn read_each<T>(entries: &[Value], read: fn(&Entry) -> Result<T, String>) -> (Vec<T>, Vec<(usize, String)>) {
    let (mut good, mut faulty) = (Vec::with_capacity(entries.len()), Vec::new());
    for (at, value) in entries.iter().enumerate() {
        match Entry::of_json(value).and_then(|entry| read(&entry)) {
            Ok(entry) => good.push(entry),
            Err(problem) => faulty.push((at, problem)),
        }
    }
    (good, faulty)
}

/// Reads receipts that a platform sends of itself, in the form in which it lists them.
pub fn read_receipts(entries: &[Value]) -> (Vec<RowReceipt>, Vec<(usize, String)>) {
    read_each(entries, Entry::receipt)
}

/// The beginning of a text of others, in which every character can be seen.
pub(super) fn cut(text: &str) -> String {
    let begin: String = text.chars().take(LONGEST_NOTE).collect();
    visible(&begin).into_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn receipt(value: &Value) -> Result<RowReceipt, String> {
        Entry::of_json(value)?.receipt()
    }

    #[test]
    fn english_and_chinese_entries_are_read() {
        let accepted = RowReceipt { record_id: "r:1".into(), version: 2, verdict: Verdict::Accepted };
        for value in [
            json!({"record_id": "r:1", "version": 2, "verdict": "accepted", "extra": [1]}),
            json!({" Record_ID ": " r:1", "version": "2", "verdict": "Accepted ", "note": null}),
            json!({"记录编号": "r:1", "版本": 2, "结果": "通过"}),
        ] {
            assert_eq!(receipt(&value).as_ref(), Ok(&accepted), "{value}");
        }
    }

    #[test]
    fn a_rejection_counts_whatever_its_reason_is() {
        let verdict = |reason: &str, note: &str| {
            let entry = json!({"record_id": "r", "version": 1, "verdict": "驳回", "reason": reason, "note": note});
            match receipt(&entry).unwrap().verdict {
                Verdict::Rejected { reason, note } => (reason, note.unwrap_or_default()),
                Verdict::Accepted => panic!("{entry}"),
            }
        };
        assert_eq!(verdict("r02", "名称不一致"), (RejectReason::SubjectUnknown, "名称不一致".into()));
        assert_eq!(verdict("R77", "why"), (RejectReason::Other, "R77: why".into()));
        assert_eq!(verdict("", ""), (RejectReason::Other, String::new()));
        assert_eq!(verdict("R99", "a\u{202e}b"), (RejectReason::Other, "a<U+202E>b".into()));
        assert!(verdict("R99", &"长".repeat(9_000)).1.chars().count() <= LONGEST_NOTE);
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (value, problem) in [
            (json!([]), "no JSON object"),
            (json!({"version": 1, "verdict": "accepted"}), "no record_id"),
            (json!({"record_id": "r\u{200b}", "version": 1, "verdict": "accepted"}), "printable"),
            (json!({"record_id": "r", "version": 0, "verdict": "accepted"}), "\"0\""),
            (json!({"record_id": "r", "version": 1, "verdict": "1"}), "accepted (通过)"),
        ] {
            let found = receipt(&value).unwrap_err();
            assert!(found.contains(problem), "{found}");
        }
        let held =
            |digest: &str| Entry::of_json(&json!({"record_id": "r", "version": 1, "digest": digest})).unwrap().held();
        assert_eq!(held(&"AB".repeat(32)).unwrap().digest, "ab".repeat(32));
        assert!(held(&"ag".repeat(32)).unwrap_err().contains("SHA-256"));
    }
}
