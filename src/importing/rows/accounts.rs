//! `accounts.csv`: settlement accounts. Only a keyed hash of the number is stored, to compare with.

use data_encoding::HEXLOWER;

use super::{Codes, ImportError, Row, RowText, Rules, subject_code};
use crate::importing::{
    ACCOUNT_NUMBER,
    findings::Code,
    template::columns::accounts::{ACCOUNT, BANK_CODE, SUBJECT_CODE, VALID_FROM_ON},
};

pub(super) fn check(row: &mut Row<'_>, rules: &Rules, out: &mut RowText) -> Result<Option<Codes>, ImportError> {
    let subject = subject_code(row, SUBJECT_CODE, rules);
    let bank = bank_code(row);
    let number = account_number(row);
    let from = row.day(VALID_FROM_ON);
    let (Some(subject), Some(bank), Some(number), Some(from)) = (subject, bank, number, from) else {
        return Ok(None);
    };
    // Hashed here, so that the number itself is never staged.
    let hash = rules.crypter.blind(ACCOUNT_NUMBER, number.as_bytes()).map_err(ImportError::Crypter)?;
    let code = out.push_plain(subject);
    out.push_plain(bank);
    out.push_plain(HEXLOWER.encode(&hash));
    out.push_plain(from);
    Ok(Some([Some((SUBJECT_CODE, code)), None]))
}

fn bank_code<'a>(row: &mut Row<'a>) -> Option<&'a str> {
    let text = row.required(BANK_CODE)?;
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase());
    if plain && (8..=14).contains(&text.len()) {
        return Some(text);
    }
    row.reject(BANK_CODE, Code::BankCodeMalformed, "is not a bank's code of 8 to 14 digits or capital letters")
}

fn account_number<'a>(row: &mut Row<'a>) -> Option<&'a str> {
    let text = row.required(ACCOUNT)?;
    if text.bytes().all(|byte| byte.is_ascii_digit()) && (8..=32).contains(&text.len()) {
        return Some(text);
    }
    row.reject(ACCOUNT, Code::AccountMalformed, "is not an account number of 8 to 32 digits without spaces")
}
