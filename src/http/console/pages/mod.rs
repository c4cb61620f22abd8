//! The pages, one file each: its routes, its handlers, and its template with samples.

mod account;
mod bank;
mod banks;
mod certificate;
mod consent;
mod consents;
mod enrol;
mod entry;
mod import;
mod imports;
mod keys;
mod ledger;
mod operators;
mod overview;
mod platform;
mod platforms;
mod preferences;
mod proposal;
mod proposals;
mod run;
mod runs;
mod settings;
mod sign_in;
mod subjects;

use std::sync::Arc;

use axum::Router;

use super::error_page::ErrorPage;
use crate::{
    app::App,
    http::web::{page::Page, preferences::Preferences},
};

pub(super) fn router() -> Router<Arc<App>> {
    Router::new()
        .merge(account::router())
        .merge(bank::router())
        .merge(banks::router())
        .merge(certificate::router())
        .merge(consent::router())
        .merge(consents::router())
        .merge(enrol::router())
        .merge(entry::router())
        .merge(import::router())
        .merge(imports::router())
        .merge(keys::router())
        .merge(ledger::router())
        .merge(operators::router())
        .merge(overview::router())
        .merge(platform::router())
        .merge(platforms::router())
        .merge(preferences::router())
        .merge(proposal::router())
        .merge(proposals::router())
        .merge(run::router())
        .merge(runs::router())
        .merge(settings::router())
        .merge(sign_in::router())
        .merge(subjects::router())
}

/// A page that was rendered from a sample, with its name.
pub type Sample = (&'static str, Result<String, askama::Error>);

/// Every page, rendered from each of its samples.
pub fn samples(preferences: Preferences) -> Vec<Sample> {
    fn of<P: Page>(name: &'static str, preferences: Preferences) -> impl Iterator<Item = Sample> {
        P::samples(preferences).into_iter().map(move |page| (name, page.render()))
    }
    of::<ErrorPage>("error", preferences)
        .chain(of::<account::AccountPage>("account", preferences))
        .chain(of::<bank::BankPage>("bank", preferences))
        .chain(of::<banks::BanksPage>("banks", preferences))
        .chain(of::<certificate::RevokePage>("certificate", preferences))
        .chain(of::<consent::ConsentPage>("consent", preferences))
        .chain(of::<consents::ConsentsPage>("consents", preferences))
        .chain(of::<enrol::EnrolPage>("enrol", preferences))
        .chain(of::<enrol::CodesPage>("recovery", preferences))
        .chain(of::<enrol::GonePage>("enrol_gone", preferences))
        .chain(of::<entry::EntryPage>("entry", preferences))
        .chain(of::<import::ImportPage>("import", preferences))
        .chain(of::<imports::ImportsPage>("imports", preferences))
        .chain(of::<keys::KeysPage>("keys", preferences))
        .chain(of::<ledger::LedgerPage>("ledger", preferences))
        .chain(of::<operators::OperatorsPage>("operators", preferences))
        .chain(of::<overview::OverviewPage>("overview", preferences))
        .chain(of::<platform::PlatformPage>("platform", preferences))
        .chain(of::<platforms::PlatformsPage>("platforms", preferences))
        .chain(of::<proposal::LinkPage>("operator_link", preferences))
        .chain(of::<proposal::ProposalPage>("proposal", preferences))
        .chain(of::<proposals::ProposalsPage>("proposals", preferences))
        .chain(of::<run::RunPage>("run", preferences))
        .chain(of::<runs::RunsPage>("runs", preferences))
        .chain(of::<settings::SettingsPage>("settings", preferences))
        .chain(of::<sign_in::SignInPage>("sign_in", preferences))
        .chain(of::<subjects::SubjectPage>("subject", preferences))
        .chain(of::<subjects::SubjectsPage>("subjects", preferences))
        .collect()
}
