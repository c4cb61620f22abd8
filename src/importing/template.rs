//! The collection templates (数据采集模板): what a file may contain.

use super::rows;
use crate::{domain::words::words, store::staging::Staging};

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

words! {
    /// A template that files follow, in the order in which a city's files are imported: the others name subjects. The
    /// word with `.csv` is the usual name of its file.
    Template: "template" {
        /// Graded subjects.
        Subjects = "subjects",
        /// Who practises where.
        Affiliations = "affiliations",
        /// Credit facts, one a row.
        Records = "records",
        /// Adverse facts with their periods of publication.
        Adverse = "adverse",
        /// Monthly settlements.
        Settlements = "settlements",
        /// Settlement accounts.
        Accounts = "accounts",
    }
}

impl Template {
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
