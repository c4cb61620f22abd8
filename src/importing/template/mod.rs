//! The collection templates (数据采集模板) and their columns.

pub(super) mod columns;
pub(super) mod table;
pub(super) mod vocabulary;
mod workbook;

use crate::{domain::words::words, store::staging::Staging};

/// The type of a template's column, for file formats whose columns have types.
#[cfg(feature = "parquet")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ColumnType {
    /// Any text, codes and months included: leading zeros count.
    Text,
    /// A calendar day.
    Day,
    /// A whole number.
    Integer,
    /// A number with up to four decimals.
    Number,
    /// 0 or 1.
    Flag,
}

words! {
    /// A collection template, in import order: all others refer to subjects. The word with `.csv` is the usual name of
    /// its file.
    Template: "template" {
        /// Graded subjects.
        Subjects = "subjects",
        /// The institutions where persons practise.
        Affiliations = "affiliations",
        /// Credit facts, one a row.
        Records = "records",
        /// Adverse facts with their periods of publication.
        Adverse = "adverse",
        /// Monthly settlements.
        Settlements = "settlements",
        /// Settlement accounts.
        Accounts = "accounts",
        /// Facts that are taken back.
        Voids = "voids",
    }
}

impl Template {
    /// The columns that a file must have, in any order.
    pub const fn columns(self) -> &'static [&'static str] {
        match self {
            // The optional ones come last.
            Self::Subjects => columns::subjects::NAMES.split_at(columns::subjects::AGREEMENT_STATUS_ON).0,
            Self::Voids => columns::voids::NAMES.split_at(columns::voids::DECISION).0,
            other => other.all_columns(),
        }
    }

    /// Every column that a file may have, the optional ones last; it has no others.
    pub(super) const fn all_columns(self) -> &'static [&'static str] {
        match self {
            Self::Subjects => columns::subjects::NAMES,
            Self::Affiliations => columns::affiliations::NAMES,
            Self::Records => columns::records::NAMES,
            Self::Adverse => columns::adverse::NAMES,
            Self::Settlements => columns::settlements::NAMES,
            Self::Accounts => columns::accounts::NAMES,
            Self::Voids => columns::voids::NAMES,
        }
    }

    /// The columns that a file may leave out.
    pub(super) fn may_omit(self, column: &str) -> bool {
        !self.columns().contains(&column)
    }

    /// The type of a column; `None` if the template has no such column.
    #[cfg(feature = "parquet")]
    pub(super) fn column_type(self, column: &str) -> Option<ColumnType> {
        if !self.all_columns().contains(&column) {
            return None;
        }
        Some(match column {
            "value" => ColumnType::Number,
            "main" => ColumnType::Flag,
            "visits" | "persons" => ColumnType::Integer,
            "as_of" => ColumnType::Day,
            _ if column.ends_with("_fen") => ColumnType::Integer,
            _ if column.ends_with("_on") => ColumnType::Day,
            _ => ColumnType::Text,
        })
    }

    /// The staging table of its rows; `None` for credit facts, which are staged as chunks.
    pub(super) const fn staging(self) -> Option<Staging> {
        Some(match self {
            Self::Subjects => Staging::Subjects,
            Self::Affiliations => Staging::Affiliations,
            Self::Records => return None,
            Self::Adverse => Staging::Adverse,
            Self::Settlements => Staging::Settlements,
            Self::Accounts => Staging::Accounts,
            Self::Voids => Staging::Voids,
        })
    }
}
