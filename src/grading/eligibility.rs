//! Who takes part in a round (不参评).

use serde::Deserialize;

use crate::{
    domain::{Day, HalfYear, grade::NotRatedReason},
    scoring::Model,
    store::{DbError, runs::SubjectRow},
};

/// What of a subject's file decides whether it is rated.
#[derive(Debug, Clone)]
pub(super) struct Standing {
    pub(super) code: String,
    pub(super) agreement_signed_on: Option<Day>,
    agreement_status: String,
    licence_status: String,
}

/// The form of [`Standing::to_json`].
#[derive(Debug, Deserialize)]
struct SubjectFile {
    agreement_signed_on: Option<String>,
    agreement_status: String,
    licence_status: String,
}

impl TryFrom<SubjectRow> for Standing {
    type Error = DbError;

    fn try_from(row: SubjectRow) -> Result<Self, DbError> {
        let signed = row.agreement_signed_on.map(|day| day.parse::<Day>()).transpose();
        let signed = signed.map_err(|error| DbError::corrupt("runs::subjects", format!("{}: {error}", row.code)))?;
        Ok(Self {
            code: row.code,
            agreement_signed_on: signed,
            agreement_status: row.agreement_status,
            licence_status: row.licence_status,
        })
    }
}

impl Standing {
    /// Why the subject takes no part in a round of the model, if it does not. The gravest reason is the one told.
    pub(super) fn not_rated(&self, model: &Model, period: HalfYear) -> Option<NotRatedReason> {
        let end = period.last_month().last_day();
        let holds = |reason: NotRatedReason| match reason {
            NotRatedReason::LicenceSuspended => self.licence_status != "active",
            NotRatedReason::AgreementEndedByBureau => self.agreement_status == "ended_by_bureau",
            NotRatedReason::AgreementEndedBySubject => self.agreement_status == "ended_by_subject",
            // A day that is not known cannot prove a year.
            NotRatedReason::AgreementUnderOneYear => {
                self.agreement_signed_on.is_none_or(|signed| a_year_after(signed) > end)
            }
            NotRatedReason::Other => false,
        };
        let gravest_first = [
            NotRatedReason::LicenceSuspended,
            NotRatedReason::AgreementEndedByBureau,
            NotRatedReason::AgreementEndedBySubject,
            NotRatedReason::AgreementUnderOneYear,
        ];
        let named = &model.file().not_rated.reasons;
        gravest_first.into_iter().find(|reason| named.contains(reason) && holds(*reason))
    }

    /// What was looked at, to be kept with the result.
    pub(super) fn to_json(&self) -> String {
        serde_json::json!({ "agreement_signed_on": self.agreement_signed_on.map(|day| day.to_string()),
                            "agreement_status": self.agreement_status, "licence_status": self.licence_status })
        .to_string()
    }

    /// What was kept by [`Standing::to_json`].
    pub(super) fn from_json(code: &str, json: &str) -> Result<Self, DbError> {
        let row: SubjectFile = serde_json::from_str(json)
            .map_err(|error| DbError::corrupt("runs::result", format!("the standing of {code}: {error}")))?;
        Self::try_from(SubjectRow {
            code: code.to_owned(),
            agreement_signed_on: row.agreement_signed_on,
            agreement_status: row.agreement_status,
            licence_status: row.licence_status,
        })
    }

    /// The words of the file, for the digest of what was read.
    pub(super) fn words(&self) -> (&str, &str) {
        (&self.agreement_status, &self.licence_status)
    }
}

/// The same day of the next year; the day after for 29 February.
fn a_year_after(day: Day) -> Day {
    let date = day.date();
    Day::new(date.year() + 1, u8::from(date.month()), date.day()).unwrap_or_else(|_| day.plus_days(366))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_year_is_full_on_its_anniversary() {
        let year = |text: &str| a_year_after(text.parse().unwrap()).to_string();
        assert_eq!(year("2025-06-30"), "2026-06-30");
        assert_eq!(year("2024-02-28"), "2025-02-28");
        assert_eq!(year("2024-02-29"), "2025-03-01");
    }
}
