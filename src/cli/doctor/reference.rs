//! The city's own tables: whether kinds, regions, catalogues and models fit each other and the store.

use super::{Examination, Findings};
use crate::{
    app,
    domain::{Kinds, TableError},
    grading::Library,
    importing::References,
    push::platform::{Platforms, Reference},
    store::subjects,
};

const KINDS: &str = "kinds of subject";
const MODELS: &str = "models";
const PERSONAL: &str = "personal parts";
const PLATFORMS: &str = "platforms";
const CALENDAR: &str = "working days";

pub(super) fn check(exam: &Examination, findings: &mut Findings) {
    let grading = &exam.config.grading;
    let library = Library::load(&grading.catalogues_directory, &grading.models_directory)
        .and_then(|library| library.with_mappings(&grading.mappings_directory));
    let library = match library {
        Ok(library) => library,
        Err(error) => return findings.wrong("catalogues and models", error.to_string()),
    };
    let references = match app::reference_tables(&exam.config, &library) {
        Ok(references) => references,
        Err(error) => return findings.wrong(KINDS, error.to_string()),
    };
    let origin =
        |file: &std::path::Path| if file.exists() { file.display().to_string() } else { "the program".to_owned() };
    let count = references.kinds.iter().count();
    findings.good(KINDS, format!("{count}, from {}", origin(&exam.config.reference.kinds_file)));
    for model in library.models() {
        let listed =
            references.kinds.find(model.kind()).is_some_and(|kind| kind.models.iter().any(|id| id == model.id()));
        if !listed {
            let text = format!("no kind lists the model {}, which rates {}", model.id(), model.kind());
            findings.caution(KINDS, text);
        }
    }
    working_days(exam, findings);
    misfits(exam, &library, &references, findings);
    platforms(exam, &library, &references, findings);
    let regions = references.regions.in_use(exam.now().day()).count();
    findings.good("regions", format!("{regions} in use, from {}", origin(&exam.config.reference.regions_file)));
    for catalogue in library.catalogues() {
        for category in catalogue.categories() {
            if references.regions.named(&category.region_zh, exam.now().day()).is_none() {
                let text = format!(
                    "{} of {} names the region {}, which the table does not have: its rows are accepted for any region",
                    category.name_zh,
                    catalogue.kind(),
                    category.region_zh
                );
                findings.caution("regions", text);
            }
        }
    }
}

/// Checks that deadlines can be counted: the calendar has this year, and the next one when deadlines reach into it.
fn working_days(exam: &Examination, findings: &mut Findings) {
    let calendar = match exam.config.reference.calendar() {
        Ok(calendar) => calendar,
        Err(error) => return findings.wrong(CALENDAR, error.to_string()),
    };
    let today = exam.now().day();
    let grading = &exam.config.grading;
    let longest = grading.objection_days.max(grading.objection_decision_days);
    if let Err(missing) = calendar.is_provisional(today) {
        return findings.problem(CALENDAR, missing.to_string(), "objections have no last day until then");
    }
    match calendar.deadline(today, longest) {
        Ok(deadline) if deadline.provisional => {
            findings.caution(
                CALENDAR,
                format!("{} is provisional: its holidays are not listed", deadline.day.date().year()),
            );
        }
        Ok(deadline) => {
            findings.good(CALENDAR, format!("{longest} working days from today end on {}", deadline.day));
        }
        Err(missing) => findings.caution(CALENDAR, missing.to_string()),
    }
}

/// Checks that the model by which each kind is graded, the first in the table of kinds, is of this city.
fn misfits(exam: &Examination, library: &Library, references: &References, findings: &mut Findings) {
    let today = exam.now().day();
    let mut fit = true;
    for model in references.kinds.iter().filter_map(|kind| kind.models.first()) {
        let Ok(in_force) = library.get(model) else { continue };
        let has_region = |name: &str| references.regions.named(name, today).is_some();
        for misfit in in_force.model.misfits(in_force.catalogue, has_region) {
            fit = false;
            findings.caution(MODELS, misfit);
        }
    }
    if fit {
        findings.good(MODELS, "the first model of each kind, its catalogue and the regions are of one city");
    }
}

/// Checks the platforms that receive grades; of the operator's own also whether their credentials can be read.
fn platforms(exam: &Examination, library: &Library, references: &References, findings: &mut Findings) {
    let folder = &exam.config.push.platforms_directory;
    let platforms = match Platforms::load(folder, &Reference { kinds: &references.kinds, library }) {
        Ok(platforms) => platforms,
        Err(error) => return findings.wrong(PLATFORMS, error.to_string()),
    };
    let own = platforms.iter().filter(|found| found.file.is_some()).count();
    findings.good(PLATFORMS, format!("{}, {own} of them from {}", platforms.iter().count(), folder.display()));
    for found in platforms.iter() {
        // Addresses and credentials of shipped platforms are placeholders.
        let Some(file) = &found.file else { continue };
        let unreadable = found.checked.unreadable_credentials();
        for fault in found.checked.warnings.iter().cloned().chain(unreadable) {
            let warning = TableError { file: file.display().to_string(), faults: vec![fault] };
            findings.caution(PLATFORMS, warning.to_string());
        }
    }
    for (id, refused) in platforms.left_out() {
        findings.caution(PLATFORMS, format!("{id} comes with the program and is not in force: {refused}"));
    }
}

/// Checks the stored subjects: one of a kind that the table does not have is never rated and never found.
pub(super) async fn check_subjects(exam: &Examination, findings: &mut Findings) {
    let (Some(db), Ok(kinds)) = (&exam.db, exam.config.reference.kinds()) else { return };
    match subjects::count_by_kind(&db.read("doctor")).await {
        Ok(counts) => unknown(&counts, &kinds, findings),
        Err(error) => findings.wrong(KINDS, error.to_string()),
    }
    match subjects::count_unsealed(&db.read("doctor"), &kinds.natural()).await {
        Ok(0) => findings.good(PERSONAL, "no natural person's name is in plain text"),
        Ok(count) => {
            let text = format!("{count} subjects are not sealed");
            findings.problem(PERSONAL, text, "`medcredit migrate` seals them");
        }
        Err(error) => findings.wrong(PERSONAL, error.to_string()),
    }
}

fn unknown(counts: &[(String, i64)], kinds: &Kinds, findings: &mut Findings) {
    for (kind, count) in counts.iter().filter(|(kind, _)| kinds.find(kind).is_none()) {
        findings.wrong(KINDS, format!("the store has {count} subjects of kind {kind}, which the table does not have"));
    }
}
