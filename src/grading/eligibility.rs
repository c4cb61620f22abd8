//! What of a subject besides its facts decides its grade: its file, its peers, its branches; and who takes no part
//! (不参评).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    domain::{Day, HalfYear, grade::NotRatedReason},
    scoring::{Branches, Measures, Model, Peer, PeerGroup},
    store::{DbError, runs::SubjectRow},
};

/// What of a subject besides its facts was looked at.
#[derive(Debug, Clone)]
pub(super) struct Standing {
    pub(super) code: String,
    pub(super) agreement_signed_on: Option<Day>,
    agreement_status: String,
    licence_status: String,
    /// The head of its chain, where the model has a rule for heads.
    pub(super) parent: Option<String>,
    /// Its level, where the model compares it with others of its level.
    pub(super) level: Option<String>,
    /// Its region, where the model compares it with others of its region.
    pub(super) region: Option<String>,
    /// How it stands among its peers, by the names of the model's comparisons.
    pub(super) peers: BTreeMap<String, Peer>,
    /// What came of its branches, where it is the head of a chain that was rated.
    pub(super) branches: Option<Branches>,
}

/// The form of [`Standing::to_json`].
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    agreement_signed_on: Option<String>,
    agreement_status: String,
    licence_status: String,
    /// Only of a model that looks at it, as what follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    parent: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    level: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    region: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    peers: BTreeMap<String, Peer>,
    /// The number of branches with the grade that is counted, and under `of` of those graded.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    branches: BTreeMap<String, u32>,
}

/// Under what [`Kept::branches`] has the number of branches graded.
const OF: &str = "of";

impl TryFrom<SubjectRow> for Standing {
    type Error = DbError;

    fn try_from(row: SubjectRow) -> Result<Self, DbError> {
        // A subject is not its own branch.
        let parent = row.parent_code.filter(|parent| *parent != row.code);
        Ok(Self {
            agreement_signed_on: day(&row.code, row.agreement_signed_on)?,
            code: row.code,
            agreement_status: row.agreement_status,
            licence_status: row.licence_status,
            parent,
            level: row.level,
            region: Some(row.region),
            peers: BTreeMap::new(),
            branches: None,
        })
    }
}

fn day(code: &str, text: Option<String>) -> Result<Option<Day>, DbError> {
    let day = text.map(|day| day.parse::<Day>()).transpose();
    day.map_err(|error| DbError::corrupt("runs::subjects", format!("{code}: {error}")))
}

impl Standing {
    /// Why the subject takes no part in a round of the model, if its file says so. The gravest reason is the one told.
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
            // Facts say so, not the file.
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

    /// Leaves out what the model does not look at.
    pub(super) fn restrict(&mut self, model: &Model) {
        let among = |group: PeerGroup| model.peers().iter().any(|form| form.among() == group);
        if model.file().chain.is_none() {
            self.parent = None;
        }
        if !among(PeerGroup::Level) {
            self.level = None;
        }
        if !among(PeerGroup::Region) {
            self.region = None;
        }
    }

    /// The same standing towards others as when a run looked at it: for a result that is reckoned again alone.
    #[must_use]
    pub(super) fn beside(mut self, kept: &Self) -> Self {
        self.peers.clone_from(&kept.peers);
        self.branches = kept.branches;
        self
    }

    /// What was looked at, to be kept with the result.
    pub(super) fn to_json(&self, model: &Model) -> String {
        let mut branches = BTreeMap::new();
        if let (Some(chain), Some(counted)) = (&model.file().chain, self.branches) {
            branches.insert(chain.counts.clone(), counted.counted);
            branches.insert(OF.to_owned(), counted.of);
        }
        let kept = Kept {
            agreement_signed_on: self.agreement_signed_on.map(|day| day.to_string()),
            agreement_status: self.agreement_status.clone(),
            licence_status: self.licence_status.clone(),
            parent: self.parent.clone(),
            level: self.level.clone(),
            region: self.region.clone(),
            peers: self.peers.clone(),
            branches,
        };
        // Infallible: texts and numbers.
        serde_json::to_string(&kept).unwrap_or_default()
    }

    /// What was kept by [`Standing::to_json`], without what was not looked at.
    pub(super) fn from_json(code: &str, json: &str) -> Result<Self, DbError> {
        let kept: Kept = serde_json::from_str(json)
            .map_err(|error| DbError::corrupt("runs::result", format!("the standing of {code}: {error}")))?;
        let of = kept.branches.get(OF).copied();
        let counted = kept.branches.iter().find(|(grade, _)| *grade != OF).map(|(_, counted)| *counted);
        Ok(Self {
            code: code.to_owned(),
            agreement_signed_on: day(code, kept.agreement_signed_on)?,
            agreement_status: kept.agreement_status,
            licence_status: kept.licence_status,
            parent: kept.parent,
            level: kept.level,
            region: kept.region,
            peers: kept.peers,
            branches: of.zip(counted).map(|(of, counted)| Branches { counted, of }),
        })
    }

    /// What is known of the subject with how it stands among its peers and what came of its branches.
    pub(super) fn complete(&self, model: &Model, measures: Measures) -> Measures {
        let peers = model.peers().iter().map(|form| self.peers.get(form.name()).copied()).collect();
        measures.with_peers(peers).with_branches(self.branches)
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
