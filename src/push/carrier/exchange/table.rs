//! The table of a dataset, with the columns of the platform's fields.

use crate::{
    push::platform::{Content, ExchangeSettings, Fields, GradeValue, Platform, UsageValue, Value},
    store::exchange::{Identifier, Table},
};

/// The table of a dataset.
#[derive(Debug)]
pub(super) struct DatasetTable {
    /// Our word for the dataset, and the platform's.
    names: [String; 2],
    pub(super) table: Identifier,
    /// The columns of the platform's fields, in their order.
    pub(super) fields: Vec<Identifier>,
    /// The column with the version: that of the convention, or a field of the platform's own.
    pub(super) version: Option<Identifier>,
}

impl DatasetTable {
    /// The tables of a platform. The error is a field whose name is not one of a column: `push check` finds it too.
    pub(super) fn of(platform: &Platform, settings: &ExchangeSettings) -> Result<Vec<Self>, String> {
        let grades = platform.grades.as_ref().zip(settings.grades_table.as_ref());
        let usage = platform.usage.as_ref().zip(settings.usage_table.as_ref());
        let grades = grades.map(|(fields, table)| Self::new("grades", fields, GradeValue::Version, table, settings));
        let usage = usage.map(|(fields, table)| Self::new("usage", fields, UsageValue::Version, table, settings));
        grades.into_iter().chain(usage).collect()
    }

    fn new<V: Value>(
        word: &str,
        fields: &Fields<V>,
        version: V,
        table: &Identifier,
        settings: &ExchangeSettings,
    ) -> Result<Self, String> {
        let columns: Result<Vec<Identifier>, _> = fields.fields.iter().map(|field| field.name.parse()).collect();
        let columns = columns.map_err(|error| error.to_string())?;
        let own = fields.fields.iter().position(|field| field.content == Content::Value(version));
        let own = own.and_then(|at| columns.get(at)).cloned();
        Ok(Self {
            names: [word.to_owned(), fields.dataset.clone()],
            table: table.clone(),
            version: settings.columns.version.clone().or(own),
            fields: columns,
        })
    }

    /// Whether it is the table of a dataset.
    pub(super) fn has(&self, dataset: &str) -> bool {
        self.names.iter().any(|name| name == dataset)
    }

    pub(super) const fn table<'a>(&'a self, settings: &'a ExchangeSettings) -> Table<'a> {
        Table { schema: settings.schema.as_ref(), name: &self.table }
    }

    /// The name for people.
    pub(super) fn name(&self, settings: &ExchangeSettings) -> String {
        settings.schema.as_ref().map_or_else(|| self.table.to_string(), |schema| format!("{schema}.{}", self.table))
    }
}
