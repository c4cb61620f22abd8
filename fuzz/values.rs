//! Values of single fields: of files, requests and the command line.

use std::{fmt::Display, str::FromStr};

use medcredit::{
    domain::{
        Day, HalfYear, Month, NationalCode, Region, ResidentId, Timestamp, Uscc,
        ids::{ClientId, ConsentId, KeyId},
        permission::{Permission, Purpose},
        printable::{check_text, without_formula},
    },
    scoring::Decimal,
    telemetry::scrub,
};

use crate::{edits_of, with_text};

/// What is read is written as a text that is read as the same.
fn returns<T: FromStr + Display + PartialEq + std::fmt::Debug>(text: &str) {
    if let Ok(value) = text.parse::<T>() {
        let written = value.to_string();
        assert!(written.parse::<T>().ok().as_ref() == Some(&value), "{text:?} is {value:?} and written {written:?}");
    }
}

#[test]
fn days_and_months() {
    edits_of!(b"2026-03-31".to_vec(), |bytes| with_text(bytes, |text| {
        returns::<Day>(text);
        returns::<Month>(text.get(..7).unwrap_or(text));
        if let Ok(month) = text.get(..7).unwrap_or(text).parse::<Month>() {
            assert_eq!(month.first_day().month(), month);
            let _ = month.last_day();
        }
    }));
}

#[test]
fn half_years() {
    edits_of!(b"2026-H1".to_vec(), |bytes| with_text(bytes, |text| {
        returns::<HalfYear>(text);
        if let Ok(half) = text.parse::<HalfYear>() {
            assert!(half.first_month() < half.last_month());
        }
    }));
}

#[test]
fn instants() {
    edits_of!(b"2026-04-01T01:02:03.5+08:00".to_vec(), |bytes| with_text(bytes, returns::<Timestamp>));
}

#[test]
fn codes() {
    edits_of!(b"91330302MA2AB3C47J".to_vec(), |bytes| with_text(bytes, |text| {
        let _ = Uscc::parse(text);
        let _ = text.parse::<NationalCode>();
        let _ = text.parse::<Region>();
    }));
}

#[test]
fn resident_ids() {
    edits_of!(b"330302198001010019".to_vec(), |bytes| with_text(bytes, |text| {
        let _ = ResidentId::parse(text, Day::new(2026, 4, 1).unwrap());
    }));
}

#[test]
fn identifiers() {
    edits_of!(b"con_06fzgv9a41wdkxs8q2e7mtb3rc".to_vec(), |bytes| with_text(bytes, |text| {
        returns::<ConsentId>(text);
        returns::<ClientId>(&text.replacen("con", "cli", 1));
        returns::<KeyId>(&text.replacen("con", "key", 1));
        returns::<Permission>(text);
        returns::<Purpose>(text);
    }));
}

#[test]
fn decimals() {
    edits_of!(b"-1234567.0375".to_vec(), |bytes| with_text(bytes, |text| {
        if let Some(value) = Decimal::parse(text).filter(|_| !text.ends_with('%')) {
            assert_eq!(Decimal::parse(&value.to_string()), Some(value), "{text:?}");
        }
    }));
}

#[test]
fn free_texts() {
    edits_of!("=医保信用贷 91330302MA2AB3C47J \u{202e}eyJhbGciOi.J9 postgres://a:b@c/d".into(), |bytes| {
        with_text(bytes, |text| {
            let _ = scrub(text);
            assert!(!without_formula(text).starts_with(['=', '+', '-', '@']));
            if check_text(text, 200).is_ok() {
                assert!(!text.chars().any(char::is_control));
            }
        });
    });
}
