//! `subjects.csv`: graded subjects. Personal data is sealed here, before it is staged.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::{Codes, ImportError, Row, RowText, Rules};
use crate::{
    domain::{
        Day, Malformed, Region, ResidentId, Uscc,
        kinds::{Certificate, Kind, KindError, Person},
        uscc::UsccError,
    },
    importing::{
        findings::Code,
        template::{
            columns::subjects::{
                AGREEMENT_SIGNED_ON, AGREEMENT_STATUS, AGREEMENT_STATUS_ON, CODE, ID_NUMBER, ID_TYPE, KIND,
                LEGAL_REPRESENTATIVE, LEVEL, LICENCE_STATUS, LICENCE_STATUS_ON, NAME, PARENT_CODE, REGION, USCC,
            },
            vocabulary,
        },
    },
    store::personal::{Personal, SealedParts},
};

/// 身份证, the resident identity card, in the national table of certificates (`psn_cert_type`).
const RESIDENT_ID_CARD: &str = "01";

/// A subject as it is staged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::importing) struct StagedSubject {
    pub(in crate::importing) code: String,
    pub(in crate::importing) kind: String,
    pub(in crate::importing) uscc: Option<String>,
    /// Empty for a natural person, whose name is sealed.
    pub(in crate::importing) name: String,
    pub(in crate::importing) region: String,
    pub(in crate::importing) level: Option<String>,
    pub(in crate::importing) parent_code: Option<String>,
    #[serde(flatten)]
    pub(in crate::importing) sealed: SealedParts,
    pub(in crate::importing) agreement_signed_on: Option<String>,
    pub(in crate::importing) agreement_status: String,
    pub(in crate::importing) licence_status: String,
    /// The first day of the agreement's status; none where the file does not say.
    #[serde(default)]
    pub(in crate::importing) agreement_status_on: Option<String>,
    /// The first day of the licence's status; none where the file does not say.
    #[serde(default)]
    pub(in crate::importing) licence_status_on: Option<String>,
}

/// Checks a row. `seen` has the codes of the rows before.
pub(super) fn check(
    row: &mut Row<'_>,
    rules: &Rules,
    seen: &mut HashSet<Box<str>>,
    out: &mut RowText,
) -> Result<Option<Codes>, ImportError> {
    let described = describe(row, rules);
    let identity = identity(row, rules);
    let (Some(mut subject), Some(mut personal)) = (described, identity) else { return Ok(None) };
    // Only rows that passed are remembered: after a bad row, a good one with the same code is accepted.
    if !seen.insert(subject.code.as_str().into()) {
        let message = format!("the file has {} already", subject.code);
        return Ok(row.reject(CODE, Code::DuplicateRow, message));
    }
    // Before the seal: a natural person's name is sealed with the rest, and its column stays empty.
    if rules.kinds.find(&subject.kind).is_some_and(Kind::is_natural) {
        personal.name = Some(std::mem::take(&mut subject.name));
    }
    subject.sealed = personal.seal(&rules.crypter, &subject.code).map_err(ImportError::Personal)?;
    out.push_text(&serde_json::to_string(&subject).map_err(ImportError::Json)?);
    Ok(Some([None, None]))
}

fn describe(row: &mut Row<'_>, rules: &Rules) -> Option<StagedSubject> {
    let kind = kind(row, rules);
    let code = row.raw(CODE);
    let name = row.required_name(NAME, 100);
    let region = region(row, rules);
    let level = row.text(LEVEL, 20);
    let signed = optional_past_day(row, AGREEMENT_SIGNED_ON);
    let agreement_on = optional_past_day(row, AGREEMENT_STATUS_ON);
    let licence_on = optional_past_day(row, LICENCE_STATUS_ON);
    let agreement = row.one_of(AGREEMENT_STATUS, vocabulary::AGREEMENT_STATUS);
    let licence = row.one_of(LICENCE_STATUS, vocabulary::LICENCE_STATUS);
    let kind = kind?;
    let uscc = uscc(row, kind, rules);
    let parent = parent(row, kind, rules);
    Some(StagedSubject {
        code: code.to_owned(),
        kind: kind.id.clone(),
        uscc: uscc?.map(|uscc| uscc.to_string()),
        name: name?.to_owned(),
        region: region?.to_string(),
        level: filled(level?),
        parent_code: parent?,
        sealed: SealedParts::default(),
        agreement_signed_on: signed?.map(|day| day.to_string()),
        agreement_status: agreement?.to_owned(),
        licence_status: licence?.to_owned(),
        agreement_status_on: agreement_on?.map(|day| day.to_string()),
        licence_status_on: licence_on?.map(|day| day.to_string()),
    })
}

#[expect(clippy::option_option, reason = "wrong, absent and present are three things")]
fn optional_past_day(row: &mut Row<'_>, column: usize) -> Option<Option<Day>> {
    match row.optional_day(column)? {
        Some(day) => row.must_have_come(column, day).map(Some),
        None => Some(None),
    }
}

fn filled(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn kind<'r>(row: &mut Row<'_>, rules: &'r Rules) -> Option<&'r Kind> {
    let (kind, code) = (row.required(KIND), row.required(CODE));
    let (kind, code) = (kind?, code?);
    row.without_resident_number(CODE)?;
    match rules.kinds.check(kind, code) {
        Ok(kind) => Some(kind),
        Err(error @ KindError::Pattern { .. }) => row.reject(CODE, Code::CodeMalformed, error.to_string()),
        Err(error) => row.reject(KIND, Code::KindUnknown, error.to_string()),
    }
}

fn region(row: &mut Row<'_>, rules: &Rules) -> Option<Region> {
    let text = row.required(REGION)?;
    let region: Region =
        text.parse().map_or_else(|error: Malformed| row.reject(REGION, Code::RegionMalformed, error.0), Some)?;
    if rules.regions.find(region, row.today).is_none() {
        row.warn(REGION, Code::RegionUnknown, format!("{region} is not a region of the local table today"));
    }
    Some(region)
}

/// The unified social credit code, which legal persons must have and natural persons do not.
#[expect(clippy::option_option, reason = "wrong, absent and present are three things")]
fn uscc(row: &mut Row<'_>, kind: &Kind, rules: &Rules) -> Option<Option<Uscc>> {
    let text = match kind.person {
        Person::Natural if row.raw(USCC).is_empty() => return Some(None),
        _ => row.required(USCC)?,
    };
    let uscc = Uscc::parse(text)
        .map_or_else(|error: UsccError| row.reject(USCC, Code::UsccInvalid, error.to_string()), Some)?;
    plausible(row, uscc, rules)?;
    if kind.uscc_of(row.raw(CODE)).is_some_and(|held| held != uscc.as_str()) {
        return row.reject(
            USCC,
            Code::CodeMalformed,
            "is not the unified social credit code that the subject's code holds",
        );
    }
    if uscc.as_str() != text {
        row.warn(USCC, Code::UsccLowerCase, format!("was written in lower case; it is stored as {uscc}"));
    }
    let mismatches: Vec<_> = uscc.mismatches().iter().map(ToString::to_string).collect();
    if !mismatches.is_empty() {
        let message = mismatches.join("; ");
        if !rules.accept_uscc_mismatch {
            let advice = "; an operator who has compared it with the licence may accept it";
            return row.reject(USCC, Code::UsccCheckMismatch, message + advice);
        }
        row.warn(USCC, Code::UsccCheckMismatch, message + "; accepted by the operator");
    }
    Some(Some(uscc))
}

/// Rejects a code that no register assigns. The city's own table knows the regions of the city; of others only the form
/// is checked.
fn plausible(row: &mut Row<'_>, uscc: Uscc, rules: &Rules) -> Option<()> {
    if let Some(fault) = uscc.implausible() {
        return row.reject(USCC, Code::UsccInvalid, fault.to_string());
    }
    let region: Option<Region> = uscc.registration_region().parse().ok();
    let Some(region) = region.filter(|region| rules.regions.has(*region) == Some(false)) else { return Some(()) };
    let message = format!("characters 3 to 8 are {region}, which the table of regions does not have");
    if !rules.accept_uscc_mismatch {
        let advice = "; an operator who has compared the code with the licence may accept it";
        return row.reject(USCC, Code::UsccInvalid, message + advice);
    }
    row.warn(USCC, Code::RegionUnknown, message + "; accepted by the operator");
    Some(())
}

#[expect(clippy::option_option, reason = "wrong, absent and present are three things")]
fn parent(row: &mut Row<'_>, kind: &Kind, rules: &Rules) -> Option<Option<String>> {
    let text = row.raw(PARENT_CODE);
    if text.is_empty() {
        return Some(None);
    }
    match rules.kinds.check(&kind.id, text) {
        Ok(_) => Some(Some(text.to_owned())),
        Err(error) => row.reject(PARENT_CODE, Code::CodeMalformed, error.to_string()),
    }
}

fn identity(row: &mut Row<'_>, rules: &Rules) -> Option<Personal> {
    let id_type = row.raw(ID_TYPE);
    let number = row.sealed_text(ID_NUMBER, 30);
    let representative = row.name(LEGAL_REPRESENTATIVE, 50);
    let two_digits = id_type.len() == 2 && id_type.bytes().all(|byte| byte.is_ascii_digit());
    if !(two_digits || id_type.is_empty()) {
        return row.reject(ID_TYPE, Code::IdTypeMalformed, "is not two digits of the national table, such as 01");
    }
    let (number, representative) = (number?, representative?);
    if number.contains('*') {
        return row.reject(ID_NUMBER, Code::MaskedValue, "is masked: write it in full");
    }
    match (id_type, number) {
        ("", "") => {
            let kind = rules.kinds.find(row.raw(KIND));
            if kind.is_some_and(|kind| kind.certificate == Certificate::Required) {
                return row.reject(ID_NUMBER, Code::Empty, "must be filled for subjects of this kind, with its type");
            }
        }
        ("", _) => {
            return row.reject(
                ID_TYPE,
                Code::IdTypeMalformed,
                "must name the type of certificate that the number belongs to",
            );
        }
        (_, "") => return row.reject(ID_NUMBER, Code::Empty, "must be filled when a type is given"),
        _ => {}
    }
    let number = match (id_type, number) {
        // A lower-case x becomes X, so that a person has one number to be searched by.
        (RESIDENT_ID_CARD, number) => match ResidentId::parse(number, row.today) {
            Ok(resident) => Some(resident.reveal().to_owned()),
            Err(error) => return row.reject(ID_NUMBER, Code::IdNumberInvalid, error.to_string()),
        },
        _ => filled(number),
    };
    Some(Personal {
        id_type: filled(id_type),
        id_number: number,
        legal_representative: filled(representative),
        name: None,
    })
}
