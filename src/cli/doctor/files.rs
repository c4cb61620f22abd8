//! Files with secrets, which only the gateway's user reads, and files that only it changes.

use std::{fs, os::unix::fs::MetadataExt, path::Path};

use super::{Examination, Findings};
use crate::{
    cli::{
        exposure::{OTHER_USERS_WRITE, exposed, secrets},
        findings::mode_open_to_others,
    },
    config::StoreEngine,
};

pub(super) fn check(exam: &Examination, findings: &mut Findings) {
    let config = &exam.config;
    match config.secrets.key_encryption_keys() {
        Ok(keys) => findings.good("key-encryption keys", format!("{} in the list", keys.len())),
        Err(error) => findings.wrong("key-encryption keys", error.to_string()),
    }
    let open = exposed(config);
    for exposed in &open {
        if config.secrets.allow_other_users {
            findings.warning(exposed.check, format!("{exposed}, as configured"), exposed.fix());
        } else {
            findings.problem(exposed.check, exposed.to_string(), exposed.fix());
        }
    }
    let mut paths = secrets(config);
    if config.store.engine == StoreEngine::Sqlite {
        let directory = &config.store.directory;
        if !directory.exists() {
            let text = format!("{} does not exist", directory.display());
            findings.problem("data directory", text, "`medcredit migrate` creates it");
        }
        paths.push(("data directory", directory.clone()));
    }
    // A missing file is reported by the check that reads it.
    for (check, path) in paths {
        if let (Ok(metadata), false) = (fs::metadata(&path), open.iter().any(|exposed| exposed.check == check)) {
            findings.good(check, format!("{} is private to user {}", path.display(), metadata.uid()));
        }
    }
    unwritable("configuration file", &exam.config_file, findings);
    unwritable("checkpoint file", &config.ledger.checkpoint_file, findings);
}

/// Checks that other users cannot change a file without secrets that the gateway relies on. A missing one is reported by
/// the check that reads it.
fn unwritable(check: &'static str, file: &Path, findings: &mut Findings) {
    if let Some(mode) = mode_open_to_others(file).filter(|mode| mode & OTHER_USERS_WRITE != 0) {
        let name = file.display();
        let text = format!("{name} has mode {mode:03o}: other users can write it");
        findings.problem(check, text, format!("chmod go-w {name}"));
    }
}
