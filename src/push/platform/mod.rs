//! Platforms that receive packages: each is one file, `config/platforms/ID.toml` or a file of the city's own. docs/PLATFORMS.md
//! explains every key.
//!
//! `reading` reads values and collects faults; `read` and `read_carrier` read the parts of a file, `check` and `codes` compare
//! them with each other and with the kinds, models and mapping tables in force. `publicity` decides what a platform may have
//! of a subject, `render` turns a record of ours into one of the platform's.

mod address;
mod carrier;
mod check;
mod codes;
mod fields;
mod library;
mod publicity;
mod read;
mod read_carrier;
mod reading;
mod reference;
mod render;
mod shipped;
mod types;

pub use crate::store::exchange::{Engine, Identifier};
pub use address::{AddressRefused, AllowedNetworks, PlatformUrl};
pub use carrier::{
    Carrier, ControlTable, ConventionColumns, Encoding, ExchangeSettings, FileForm, FileNamePart, FileSettings, Folder,
    Format, HttpsSettings, RECORD_COLUMNS, SftpSettings,
};
pub use fields::{AmountUnit, CodeList, Content, DateForm, Field, Fields, Form, GradeValue, UsageValue, Value};
pub use library::{CheckedPlatform, InForcePlatform, Platforms, PlatformsError};
pub use publicity::{Admission, Exclusion};
pub use reference::Reference;
pub use render::{Evaluator, GradeRow, LoanCount, Operation, PackageRow, RenderError, RenderFault, UsageRow};
pub use shipped::SHIPPED;
pub use types::{Audience, GradesSchedule, Natural, OpenObjections, Platform, Receipts, Schedule, UsageSchedule};
