//! The collection templates (数据采集模板): what a file may contain.

use std::{fmt, str::FromStr};

use super::rows;
use crate::{domain::time::Malformed, store::staging::Staging};

/// What a column of a template holds: which types it may have where a format has types.
#[cfg(feature = "parquet")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holds {
    /// Any text, codes and months among it: leading zeros count.
    Text,
    /// A day.
    Day,
    /// A whole number.
    Integer,
    /// A number of up to four decimals.
    Number,
    /// 0 or 1.
    Flag,
}

/// A template that files follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Template {
    /// Graded subjects.
    Subjects,
    /// Who practises where.
    Affiliations,
    /// Credit facts, one a row.
    Records,
    /// Adverse facts with their periods of publication.
    Adverse,
    /// Monthly settlements.
    Settlements,
    /// Settlement accounts.
    Accounts,
}

impl Template {
    /// Every template, in the order in which a city's files are imported: the others name subjects.
    pub const ALL: [Self; 6] =
        [Self::Subjects, Self::Affiliations, Self::Records, Self::Adverse, Self::Settlements, Self::Accounts];

    /// The stable word; with `.csv`, the usual name of its file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Subjects => "subjects",
            Self::Affiliations => "affiliations",
            Self::Records => "records",
            Self::Adverse => "adverse",
            Self::Settlements => "settlements",
            Self::Accounts => "accounts",
        }
    }

    /// The columns a file must have, in any order, and no others.
    pub const fn columns(self) -> &'static [&'static str] {
        match self {
            Self::Subjects => rows::subjects::COLUMNS,
            Self::Affiliations => rows::affiliations::COLUMNS,
            Self::Records => rows::records::COLUMNS,
            Self::Adverse => rows::adverse::COLUMNS,
            Self::Settlements => rows::settlements::COLUMNS,
            Self::Accounts => rows::accounts::COLUMNS,
        }
    }

    /// What a column holds; nothing if the template has no such column.
    #[cfg(feature = "parquet")]
    pub(super) fn holds(self, column: &str) -> Option<Holds> {
        if !self.columns().contains(&column) {
            return None;
        }
        Some(match column {
            "value" => Holds::Number,
            "main" => Holds::Flag,
            "visits" | "persons" => Holds::Integer,
            "as_of" => Holds::Day,
            _ if column.ends_with("_fen") => Holds::Integer,
            _ if column.ends_with("_on") => Holds::Day,
            _ => Holds::Text,
        })
    }

    /// Where its rows wait for acceptance; none for credit facts, which wait as chunks.
    pub(super) const fn staging(self) -> Option<Staging> {
        Some(match self {
            Self::Subjects => Staging::Subjects,
            Self::Affiliations => Staging::Affiliations,
            Self::Records => return None,
            Self::Adverse => Staging::Adverse,
            Self::Settlements => Staging::Settlements,
            Self::Accounts => Staging::Accounts,
        })
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Template {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        Self::ALL.into_iter().find(|template| template.as_str() == text).ok_or_else(|| {
            let known = Self::ALL.map(Self::as_str).join(", ");
            Malformed(format!("{text:?} is not a template: {known}"))
        })
    }
}
