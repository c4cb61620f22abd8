//! The database: reachable, of this build's schema, and keeping what it commits.

use super::{Examination, Report};
use crate::{
    cli::context::open_store,
    config::StoreEngine,
    store::{durability, migrations},
};

pub(super) async fn check(exam: &mut Examination, report: &mut Report) {
    let check = "database";
    let store = &exam.config.store;
    // Opening SQLite creates its files, which an examination must not.
    if store.engine == StoreEngine::Sqlite && !store.directory.join("core.db").exists() {
        return report.bad(check, format!("no core.db in {}: run `medcredit migrate`", store.directory.display()));
    }
    let db = match open_store(&exam.config).await {
        Ok(db) => db,
        Err(error) => return report.bad(check, format!("{error:#}")),
    };
    match migrations::check(&db).await {
        Ok(()) => report.good(check, "reachable, with this build's schema"),
        Err(error) => return report.bad(check, error.to_string()),
    }
    match durability::examine(&db).await {
        Ok(found) => {
            if found.refused.is_empty() {
                report.good("durability", "every commit is synced");
            }
            for problem in found.refused {
                report.bad("durability", format!("{problem}: an answer could leave before its record is safe"));
            }
            for warning in found.warned {
                report.warning("durability", warning);
            }
        }
        Err(error) => report.bad("durability", error.to_string()),
    }
    exam.db = Some(db);
}
