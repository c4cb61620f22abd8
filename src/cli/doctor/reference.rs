//! The city's own tables: kinds, regions, catalogues and models, and whether they fit each other and the store.

use super::{Examination, Report};
use crate::{app, domain::Kinds, grading::Library, store::subjects};

const KINDS: &str = "kinds of subject";
const PERSONAL: &str = "personal parts";

pub(super) fn check(exam: &Examination, report: &mut Report) {
    let grading = &exam.config.grading;
    let library = Library::load(&grading.catalogues_directory, &grading.models_directory)
        .and_then(|library| library.with_mappings(&grading.mappings_directory));
    let library = match library {
        Ok(library) => library,
        Err(error) => return report.bad("catalogues and models", error.to_string()),
    };
    let references = match app::reference_tables(&exam.config, &library) {
        Ok(references) => references,
        Err(error) => return report.bad(KINDS, error.to_string()),
    };
    let own =
        |file: &std::path::Path| if file.exists() { file.display().to_string() } else { "the program".to_owned() };
    let count = references.kinds.iter().count();
    report.good(KINDS, format!("{count}, from {}", own(&exam.config.reference.kinds_file)));
    for model in library.models() {
        let listed =
            references.kinds.find(model.kind()).is_some_and(|kind| kind.models.iter().any(|id| id == model.id()));
        if !listed {
            let text = format!("no kind lists the model {}, which rates {}", model.id(), model.kind());
            report.warning(KINDS, text);
        }
    }
    let regions = references.regions.in_use(exam.now().day()).count();
    report.good("regions", format!("{regions} in use, from {}", own(&exam.config.reference.regions_file)));
    for catalogue in library.catalogues() {
        for category in catalogue.categories() {
            if references.regions.named(&category.region_zh, exam.now().day()).is_none() {
                let text = format!(
                    "{} of {} is of {}, which is no region of the table: rows are not held to it",
                    category.name_zh,
                    catalogue.kind(),
                    category.region_zh
                );
                report.warning("regions", text);
            }
        }
    }
}

/// Subjects of a kind that the table does not have are rated by nothing and found by nobody.
pub(super) async fn check_subjects(exam: &Examination, report: &mut Report) {
    let (Some(db), Ok(kinds)) = (&exam.db, exam.config.reference.kinds()) else { return };
    match subjects::count_by_kind(&db.read("doctor")).await {
        Ok(counts) => unknown(&counts, &kinds, report),
        Err(error) => report.bad(KINDS, error.to_string()),
    }
    match subjects::count_unsealed(&db.read("doctor"), &kinds.natural()).await {
        Ok(0) => report.good(PERSONAL, "no natural person's name stands in the open"),
        Ok(count) => {
            let text = format!("{count} subjects are not sealed as they must be; `medcredit migrate` seals them");
            report.bad(PERSONAL, text);
        }
        Err(error) => report.bad(PERSONAL, error.to_string()),
    }
}

fn unknown(counts: &[(String, i64)], kinds: &Kinds, report: &mut Report) {
    for (kind, count) in counts.iter().filter(|(kind, _)| kinds.find(kind).is_none()) {
        report.bad(KINDS, format!("the store has {count} subjects of kind {kind}, which the table does not have"));
    }
}
