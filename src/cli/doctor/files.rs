//! Files with secrets: readable by the gateway's user and by nobody else.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
};

use super::{Examination, Report};
use crate::config::StoreEngine;

/// Every bit that lets somebody else read, write or list.
const OTHERS: u32 = 0o077;
/// The bits that let somebody else write.
const OTHERS_WRITE: u32 = 0o022;

pub(super) fn check(exam: &Examination, report: &mut Report) {
    match exam.config.secrets.key_encryption_keys() {
        Ok(keys) => report.good("key-encryption keys", format!("{} in the list, the first one encrypts", keys.len())),
        Err(error) => report.bad("key-encryption keys", error.to_string()),
    }
    private(&exam.config.secrets.key_encryption_key_file, "key-encryption keys", report);
    match exam.config.store.engine {
        StoreEngine::Sqlite => directory(&exam.config.store.directory, report),
        StoreEngine::Postgres => {
            if let Some(file) = &exam.config.store.url_file {
                private(file, "database URL", report);
            }
        }
    }
}

/// Says so when others can reach a file that holds a secret. Its absence is for whoever reads it to say.
pub(super) fn private(file: &Path, check: &'static str, report: &mut Report) {
    let Ok(metadata) = fs::metadata(file) else { return };
    let mode = metadata.permissions().mode() & 0o777;
    if mode & OTHERS != 0 {
        let text = format!("{} has mode {mode:03o}: others can reach it; `chmod 600` it", file.display());
        report.bad(check, text);
    } else {
        report.good(check, format!("{} is private to user {}", file.display(), metadata.uid()));
    }
}

/// SQLite's directory: whoever can write in it can put another database in its place.
fn directory(directory: &Path, report: &mut Report) {
    let check = "data directory";
    let Ok(metadata) = fs::metadata(directory) else {
        return report.bad(check, format!("{} is not there; `medcredit migrate` makes it", directory.display()));
    };
    let mode = metadata.permissions().mode() & 0o777;
    if mode & OTHERS_WRITE != 0 {
        let text = format!("{} has mode {mode:03o}: others can write in it; `chmod 700` it", directory.display());
        report.bad(check, text);
    } else if mode & OTHERS != 0 {
        let text = format!("{} has mode {mode:03o}: others can read it; `chmod 700` it", directory.display());
        report.warning(check, text);
    } else {
        report.good(check, format!("{} is private to user {}", directory.display(), metadata.uid()));
    }
}
