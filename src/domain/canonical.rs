//! Canonical JSON (RFC 8785): equal values have equal texts, so that they can be hashed.

use std::fmt::Write;

use serde_json::Value;

use super::Malformed;

/// The largest integer that JSON readers with double-precision numbers keep exactly; RFC 8785 writes none beyond it.
const LARGEST_INTEGER: u64 = (1 << 53) - 1;

/// Returns the canonical text of a value. Fractions, and integers too large for some readers, are refused.
pub fn canonical(value: &Value) -> Result<String, Malformed> {
    let mut out = String::new();
    write_canonical(value, &mut out)?;
    Ok(out)
}

/// Appends the canonical text of a value.
pub fn write_canonical(value: &Value, out: &mut String) -> Result<(), Malformed> {
    write_value(value, out)
}

/// Returns the canonical text of a string.
pub fn canonical_string(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    write_string(text, &mut out);
    out
}

/// Appends the canonical text of a string.
pub fn write_canonical_string(text: &str, out: &mut String) {
    write_string(text, out);
}

fn write_value(value: &Value, out: &mut String) -> Result<(), Malformed> {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(number) => {
            let whole = number.as_u64().or_else(|| number.as_i64().map(i64::unsigned_abs));
            if whole.is_none_or(|size| size > LARGEST_INTEGER) {
                return Err(Malformed(format!(
                    "{number} cannot be written as canonical JSON here: not a whole number of at most 53 bits"
                )));
            }
            out.push_str(&number.to_string());
        }
        Value::String(text) => write_string(text, out),
        Value::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write_value(item, out)?;
            }
            out.push(']');
        }
        Value::Object(members) => {
            let mut sorted: Vec<_> = members.iter().collect();
            // RFC 8785 section 3.2.3: by UTF-16 code units, which differs from byte order beyond the basic plane.
            sorted.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
            out.push('{');
            for (at, (name, member)) in sorted.into_iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write_string(name, out);
                out.push(':');
                write_value(member, out)?;
            }
            out.push('}');
        }
    }
    Ok(())
}

/// RFC 8785 section 3.2.2.2: the two-character escapes where JSON has them, `\u00xx` for other control characters, and
/// every other character unchanged.
fn write_string(text: &str, out: &mut String) {
    out.push('"');
    // Most strings need no escape, and are copied in one piece.
    let must_escape = |found: bool, byte: &u8| found | matches!(byte, 0..b' ' | b'"' | b'\\');
    // Without a branch for each byte, which lets the compiler take many in one step.
    if !text.as_bytes().iter().fold(false, must_escape) {
        out.push_str(text);
        out.push('"');
        return;
    }
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            // Writing to a String cannot fail.
            c if c < ' ' => drop(write!(out, "\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn members_and_strings_are_written_as_the_rfc_requires() {
        // The strings and the order of members of RFC 8785 sections 3.2.2 and 3.2.3.
        let value: Value = serde_json::from_str(
            r#"{"string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/", "literals": [null, true, false]}"#,
        )
        .unwrap();
        assert_eq!(canonical(&value).unwrap(), r#"{"literals":[null,true,false],"string":"€$\u000f\nA'B\"\\\\\"/"}"#);
        let value: Value = serde_json::from_str(
            r#"{"\u20ac":"Euro Sign","\r":"Carriage Return","\ufb33":"Hebrew Letter Dalet With Dagesh","1":"One","\ud83d\ude00":"Emoji: Grinning Face","\u0080":"Control","\u00f6":"Latin Small Letter O With Diaeresis"}"#,
        )
        .unwrap();
        let text = canonical(&value).unwrap();
        let order =
            ["Carriage", "One", "Control", "Latin", "Euro", "Emoji", "Hebrew"].map(|word| text.find(word).unwrap());
        assert!(order.is_sorted(), "{text}");
    }

    #[test]
    fn numbers_that_readers_could_change_are_refused() {
        assert_eq!(canonical(&json!([0, -7, 9_007_199_254_740_991_i64])).unwrap(), "[0,-7,9007199254740991]");
        for number in [json!(9_007_199_254_740_992_i64), json!(-9_007_199_254_740_992_i64), json!(1.5), json!(1.0)] {
            assert!(canonical(&number).is_err(), "{number}");
        }
    }

    proptest! {
        #[test]
        fn a_canonical_text_reads_as_the_same_value_and_is_its_own_canonical_text(text in ".*", number in -1_000_000i64..1_000_000) {
            let value = json!({ text.clone(): [number, text.clone()], "a": { "b": text } });
            let once = canonical(&value).unwrap();
            let again: Value = serde_json::from_str(&once).unwrap();
            prop_assert_eq!(&again, &value);
            prop_assert_eq!(canonical(&again).unwrap(), once);
        }
    }
}
