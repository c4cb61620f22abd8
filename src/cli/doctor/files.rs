//! Files with secrets: readable by the gateway's user and by nobody else.

use std::{fs, os::unix::fs::MetadataExt};

use super::{Examination, Findings};
use crate::{
    cli::exposure::{exposed, secrets},
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
}
