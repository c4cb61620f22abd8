//! Imports the bureau's files: Excel, CSV or Parquet in, checked rows in the store, and a report of what was rejected.
//!
//! A file is read in bounded memory; a bad row is reported and never stops the file. Rows are staged in bulk tables
//! under the import's number, where nobody sees them, until one last transaction on the core accepts all of them. The
//! same file is recognised by its SHA-256 and changes nothing. One import runs at a time in a store, whichever process
//! runs it, so the leftovers of a killed import belong to nobody, and the next import removes them before it begins.
//! `import.rs` has the sequence of steps.
//!
//! Personal data is sealed, and account numbers hashed, before they reach a statement. This room knows neither grades
//! nor who may read what it imports.

mod accept;
mod batch;
mod changed;
mod delivered;
mod earlier;
mod error;
mod events;
mod facts;
mod file_context;
pub mod findings;
mod heading;
mod import;
mod importer;
mod layout;
mod leftovers;
mod normalise;
mod options;
mod reader;
pub mod records;
mod references;
mod rejects;
mod report;
mod reseal;
mod row;
mod rows;
mod skips;
mod source;
mod stager;
mod subject_changes;
mod template;
mod upload_report;
mod uploads;
mod voids;
mod write;

use references::Rules;

pub use error::ImportError;
pub use findings::{Code, Finding, Severity};
pub use importer::{HALVES_BACK, Importer};
pub use options::{Options, Sender};
pub use references::{ACCOUNT_NUMBER, References};
pub use rejects::RejectsBy;
pub use report::{Outcome, Progress, ReplacedImport, Report, SubjectChanges};
pub use reseal::{Resealed, reseal_subjects};
pub use skips::{SkipReason, SkippedLines, Skips};
pub use source::{Encoding, Format, Input, count_rows};
pub use template::Template;
pub use upload_report::{ImportFindings, ListedFinding, RowFinding, UploadReport};
pub use uploads::{Upload, Uploaded, Uploads};
pub use voids::{Decided, FactDecision, VoidAction};
