//! Files with secrets: readable by the gateway's user and by nobody else.

use std::{fs, os::unix::fs::MetadataExt, path::Path};

use super::{Examination, Findings};
use crate::{cli::findings::mode_open_to_others, config::StoreEngine};

/// The permission bits that let other users write.
const OTHER_USERS_WRITE: u32 = 0o022;

pub(super) fn check(exam: &Examination, findings: &mut Findings) {
    let check = "key-encryption keys";
    match exam.config.secrets.key_encryption_keys() {
        Ok(keys) => findings.good(check, format!("{} in the list, the first one encrypts", keys.len())),
        Err(error) => findings.wrong(check, error.to_string()),
    }
    private(check, &exam.config.secrets.key_encryption_key_file, findings);
    match exam.config.store.engine {
        StoreEngine::Sqlite => directory(&exam.config.store.directory, findings),
        StoreEngine::Postgres => {
            if let Some(file) = &exam.config.store.url_file {
                private("database URL", file, findings);
            }
        }
    }
}

/// Checks that other users cannot reach a file with a secret. A missing file is reported by the check that reads it.
fn private(check: &'static str, file: &Path, findings: &mut Findings) {
    let Ok(metadata) = fs::metadata(file) else { return };
    let name = file.display();
    match mode_open_to_others(file) {
        Some(mode) => findings.problem(
            check,
            format!("{name} has mode {mode:03o}: other users can reach it"),
            format!("chmod 600 {name}"),
        ),
        None => findings.good(check, format!("{name} is private to user {}", metadata.uid())),
    }
}

/// Checks SQLite's directory: a user who can write in it can put another database there.
fn directory(directory: &Path, findings: &mut Findings) {
    let check = "data directory";
    let name = directory.display();
    let Ok(metadata) = fs::metadata(directory) else {
        return findings.problem(check, format!("{name} does not exist"), "`medcredit migrate` creates it");
    };
    let fix = format!("chmod 700 {name}");
    match mode_open_to_others(directory) {
        Some(mode) if mode & OTHER_USERS_WRITE != 0 => {
            findings.problem(check, format!("{name} has mode {mode:03o}: other users can write in it"), fix);
        }
        Some(mode) => findings.warning(check, format!("{name} has mode {mode:03o}: other users can read it"), fix),
        None => findings.good(check, format!("{name} is private to user {}", metadata.uid())),
    }
}
