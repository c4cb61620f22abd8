//! Whether a file is known: imported before with the same options, and nothing has changed its rows since. And which imports
//! a file replaces.

use aws_lc_rs::digest;
use data_encoding::HEXLOWER;

use super::{ImportError, Importer, Options, Report, Template};
use crate::store::imports::{self, ImportRow};

/// What earlier imports mean for a file.
#[derive(Debug)]
pub(super) enum Earlier {
    /// The file is known, and there is nothing to do.
    Accepted(Box<ImportRow>),
    /// It is to be imported.
    Import(Replaced),
}

/// The imports whose facts no longer count once a file is accepted.
#[derive(Debug, Clone, Default)]
pub(super) struct Replaced {
    /// The one that it was said to replace.
    pub(super) former: Option<i64>,
    /// An import of the same bytes, and how many rows of it were accepted.
    pub(super) same: Option<(i64, u64)>,
}

impl Replaced {
    /// Their numbers.
    pub(super) fn imports(&self) -> Vec<i64> {
        let mut imports: Vec<i64> = self.former.into_iter().chain(self.same.map(|(seq, _)| seq)).collect();
        imports.dedup();
        imports
    }
}

impl Importer {
    /// What earlier imports mean for a file with the report's digest.
    pub(super) async fn earlier(&self, report: &Report, options: &Options) -> Result<Earlier, ImportError> {
        let failed = || ImportError::store("look for the same file");
        let template = report.template;
        let read = self.env.db.read("imports::find_accepted");
        let same = imports::find_accepted(&read, template.as_str(), &report.sha256).await.map_err(failed())?;
        let former = match &options.replaces {
            Some(import) => Some(self.former(template, import, options).await?),
            None => None,
        };
        if let Some(same) = &same {
            // A sender learns nothing about the imports of others, except that this file needs no import.
            let sender = options.sender.as_ref().map(|sender| sender.client.to_string());
            if sender.is_some() && sender != same.client_id {
                return Err(ImportError::KnownFromOthers);
            }
            let replaces =
                former.as_ref().is_none_or(|former| former.replaced_by == Some(same.seq) || former.seq == same.seq);
            if replaces && self.is_unchanged(template, same, options).await? {
                return Ok(Earlier::Accepted(Box::new(same.clone())));
            }
        }
        if let Some(former) = &former
            && let Some(by) = former.replaced_by
        {
            return Err(ImportError::Replaces(format!("import {} was replaced by import {by} already", former.seq)));
        }
        // Without this, facts that name no document would count once for each time that the file was sent.
        let same = same.filter(|same| template == Template::Records && same.replaced_by.is_none());
        Ok(Earlier::Import(Replaced {
            former: former.map(|former| former.seq),
            same: same.map(|same| (same.seq, u64::try_from(same.accepted).unwrap_or(0))),
        }))
    }

    /// The import that a file is said to replace.
    async fn former(&self, template: Template, import: &str, options: &Options) -> Result<ImportRow, ImportError> {
        if template != Template::Records {
            return Err(ImportError::Replaces(format!(
                "only a file of records replaces another: of {template}, the last row of a key counts anyway"
            )));
        }
        let read = self.env.db.read("imports::find");
        let found = imports::find(&read, import).await.map_err(ImportError::store("look for the import to replace"))?;
        let sender = options.sender.as_ref().map(|sender| sender.client.to_string());
        found
            .filter(|found| found.template == template.as_str() && found.state == "accepted")
            // Another sender's import is not found, as it is not shown.
            .filter(|found| sender.is_none() || sender == found.client_id)
            .ok_or_else(|| ImportError::Replaces(format!("there is no accepted import {import} of {template}")))
    }

    /// Whether importing a file again would change nothing.
    async fn is_unchanged(&self, template: Template, same: &ImportRow, options: &Options) -> Result<bool, ImportError> {
        if same.replaced_by.is_some() {
            return Ok(false);
        }
        let same_options = match &same.options {
            Some(stored) => *stored == self.options_key(options),
            // Of an import before options were stored.
            None => !options.accept_uscc_mismatch,
        };
        Ok(same_options && !self.is_changed(template, same).await?)
    }

    /// The options and catalogues that decide which rows of a file are accepted.
    pub(super) fn options_key(&self, options: &Options) -> String {
        let mut context = digest::Context::new(&digest::SHA256);
        for (kind, catalogue) in &self.references.catalogues {
            context.update(kind.as_bytes());
            context.update(catalogue.canonical().as_bytes());
        }
        let catalogues = HEXLOWER.encode(context.finish().as_ref());
        format!("accept_uscc_mismatch={} catalogues={catalogues}", options.accept_uscc_mismatch)
    }
}
