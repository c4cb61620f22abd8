//! The inputs of a grade apart from facts: the subject's file, its peers and its branches; and the subjects that take no part
//! (不参评).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::status_history::{StatusHistory, StatusOf};
use crate::{
    domain::{Day, HalfYear, grade::NotRatedReason},
    scoring::{Branches, Measures, Model, PeerGroup, PeerRank},
    store::{DbError, runs::SubjectRow},
};

/// A subject's inputs apart from its facts.
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
    /// Its rank among its peers, by the names of the model's comparisons.
    pub(super) peers: BTreeMap<String, PeerRank>,
    /// The counts of its branches, where it is the head of a chain that was rated.
    pub(super) branches: Option<Branches>,
}

/// The stored form of a [`Standing`].
#[derive(Debug, Serialize, Deserialize)]
struct StoredStanding {
    agreement_signed_on: Option<String>,
    agreement_status: String,
    licence_status: String,
    /// Present only under a model that uses it, as are the fields below.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    parent: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    level: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    region: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    peers: BTreeMap<String, PeerRank>,
    /// The number of branches with the grade that the model counts, by that grade, and of all graded ones, under [`OF`].
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    branches: BTreeMap<String, u32>,
}

/// The key of [`StoredStanding::branches`] with the number of graded branches.
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
    /// Takes the statuses that held at the end of a half-year, where they differ from the present ones.
    pub(super) fn take_statuses(&mut self, history: &StatusHistory, period: HalfYear) {
        let end = period.last_month().last_day();
        for (of, status) in
            [(StatusOf::Agreement, &mut self.agreement_status), (StatusOf::Licence, &mut self.licence_status)]
        {
            if let Some(held) = history.on(&self.code, of, end) {
                held.clone_into(status);
            }
        }
    }

    /// The reasons that the subject takes no part in a round of the model, going by its file, the gravest first.
    pub(super) fn not_rated(&self, model: &Model, period: HalfYear) -> Vec<NotRatedReason> {
        let end = period.last_month().last_day();
        let applies = |reason: NotRatedReason| match reason {
            NotRatedReason::LicenceSuspended => self.licence_status != "active",
            NotRatedReason::AgreementEndedByBureau => self.agreement_status == "ended_by_bureau",
            NotRatedReason::AgreementEndedBySubject => self.agreement_status == "ended_by_subject",
            // Without a day there is no proof of a full year.
            NotRatedReason::AgreementUnderOneYear => {
                self.agreement_signed_on.is_none_or(|signed| a_year_after(signed) > end)
            }
            // Decided by facts, see `Model::exempted` and `Measures::is_empty`.
            NotRatedReason::Other | NotRatedReason::InsufficientData => false,
        };
        let gravest_first = [
            NotRatedReason::LicenceSuspended,
            NotRatedReason::AgreementEndedByBureau,
            NotRatedReason::AgreementEndedBySubject,
            NotRatedReason::AgreementUnderOneYear,
        ];
        let named = &model.file().not_rated.reasons;
        gravest_first.into_iter().filter(|reason| named.contains(reason) && applies(*reason)).collect()
    }

    /// Removes what the model does not use, so that it is neither stored nor digested.
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

    /// Takes the ranks and the chain that a run stored: for a result that is recomputed alone, without its peers.
    #[must_use]
    pub(super) fn with_relations_of(mut self, stored: &Self) -> Self {
        self.peers.clone_from(&stored.peers);
        self.parent.clone_from(&stored.parent);
        self.branches = stored.branches;
        self
    }

    /// The stored form.
    pub(super) fn to_json(&self, model: &Model) -> String {
        let mut branches = BTreeMap::new();
        if let (Some(chain), Some(counted)) = (&model.file().chain, self.branches) {
            branches.insert(chain.counts.clone(), counted.counted);
            branches.insert(OF.to_owned(), counted.of);
        }
        let stored = StoredStanding {
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
        serde_json::to_string(&stored).unwrap_or_default()
    }

    /// Parses the stored form.
    pub(super) fn from_json(code: &str, json: &str) -> Result<Self, DbError> {
        let stored: StoredStanding = serde_json::from_str(json)
            .map_err(|error| DbError::corrupt("runs::result", format!("the standing of {code}: {error}")))?;
        let of = stored.branches.get(OF).copied();
        // The map has one other key, the grade that the model counts.
        let counted = stored.branches.iter().find(|(grade, _)| *grade != OF).map(|(_, counted)| *counted);
        Ok(Self {
            code: code.to_owned(),
            agreement_signed_on: day(code, stored.agreement_signed_on)?,
            agreement_status: stored.agreement_status,
            licence_status: stored.licence_status,
            parent: stored.parent,
            level: stored.level,
            region: stored.region,
            peers: stored.peers,
            branches: of.zip(counted).map(|(of, counted)| Branches { counted, of }),
        })
    }

    /// Adds the ranks among peers and the counts of branches to the subject's measures.
    pub(super) fn complete(&self, model: &Model, measures: Measures) -> Measures {
        let peers = model.peers().iter().map(|form| self.peers.get(form.name()).copied()).collect();
        measures.with_peers(peers).with_branches(self.branches)
    }

    /// The statuses of the agreement and the licence, for the digest of inputs.
    pub(super) fn statuses(&self) -> (&str, &str) {
        (&self.agreement_status, &self.licence_status)
    }
}

/// The same day of the next year; 1 March for 29 February.
fn a_year_after(day: Day) -> Day {
    let date = day.date();
    // Only 29 February has no such day, and 366 days later is 1 March of the next year.
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
