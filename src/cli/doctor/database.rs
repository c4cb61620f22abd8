//! The database: reachable, with this build's schema, and syncing what it commits.

use super::{Examination, Findings};
use crate::{
    app::requirements,
    cli::{context::open_store, exposure},
    config::StoreEngine,
    domain::error_chain,
    store::{durability, migrations, server},
};

pub(super) async fn check(exam: &mut Examination, findings: &mut Findings) {
    let check = "database";
    let store = &exam.config.store;
    // Opening SQLite creates its files, and a check must change nothing.
    if store.engine == StoreEngine::Sqlite && !store.directory.join("core.db").exists() {
        let text = format!("no core.db in {}", store.directory.display());
        return findings.problem(check, text, "run `medcredit migrate`");
    }
    let db = match open_store(&exam.config).await {
        Ok(db) => db,
        Err(error) => return findings.wrong(check, format!("{error:#}")),
    };
    match migrations::check(&db).await {
        Ok(()) => findings.good(check, "reachable, with this build's schema"),
        Err(error) => return findings.wrong(check, error_chain(&error)),
    }
    match server::examine(&db).await {
        Ok(problems) if problems.is_empty() => {
            findings.good("database server", "writable, with every right that serving needs");
        }
        Ok(problems) => problems.into_iter().for_each(|problem| findings.wrong("database server", problem)),
        Err(error) => findings.wrong("database server", error_chain(&error)),
    }
    match exposure::role_excess(&db).await {
        Ok(None) => {}
        Ok(Some(power)) if exam.config.store.allow_owner => {
            findings.caution("database role", format!("it {power}, as configured"));
        }
        Ok(Some(power)) => findings.problem("database role", format!("it {power}"), exposure::SERVE_AS_APP_ROLE),
        Err(error) => findings.wrong("database role", error.to_string()),
    }
    match durability::examine(&db, requirements(&exam.config)).await {
        Ok(found) => {
            if found.refused.is_empty() {
                findings.good("durability", "every commit is synced");
            }
            for problem in found.refused {
                findings.wrong("durability", format!("{problem}: an answer could leave before its record is safe"));
            }
            for warning in found.warned {
                findings.caution("durability", warning);
            }
        }
        Err(error) => findings.wrong("durability", error_chain(&error)),
    }
    // Only with this build's schema: the checks that follow read its tables.
    exam.db = Some(db);
}
