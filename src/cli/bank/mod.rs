//! The bank's own side, on nothing but the public API: what it connects with, asks, keeps and verifies.
//!
//! These commands need no configuration of a gateway and no database, only a profile of a few lines. Nothing is shown that
//! was not verified: an answer's digest, signature and receipt first, then its contents.

mod archive;
mod assertion;
mod client;
mod consent;
mod deliveries;
mod diagnosis;
mod doctor;
mod findings;
mod grade;
mod history;
mod log;
mod profile;
mod proof;
mod report;
mod saved_answer;
mod scorecard;
mod session;
mod settlements;
mod show;
mod token;
mod verify;
mod verify_file;

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Context;

pub(super) use client::{BankClient, Call};
pub(super) use findings::Findings;
pub(super) use log::fetch_proof;
pub(super) use profile::{Profile, ProfileError};
pub(super) use saved_answer::Kept;
pub(super) use verify::{keys, read_keys, short, verify_answer, verify_proof};

/// A bank's side of the gateway: ask, verify what was answered, keep it, and prove it later.
///
/// Needs only a profile: `bank.toml` with origin, ca, certificate and key. docs/BANK-KIT.md is the first day on one page.
#[derive(Debug, Args)]
pub(super) struct BankCommand {
    /// The bank's profile [environment: MEDCREDIT_BANK]
    #[arg(long, global = true, value_name = "FILE")]
    profile: Option<PathBuf>,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Get an access token and show what it is good for
    Token(token::TokenArgs),
    /// Ask for consents, and see where they stand
    Consent(consent::ConsentCommand),
    /// Read the grade of each covered code (信用等级)
    Grade(grade::GradeArgs),
    /// Read monthly settlement summaries (医保月度结算): a table and a chart
    Settlements(settlements::SettlementsArgs),
    /// Read the grades of former rounds (历史等级)
    History(history::HistoryArgs),
    /// Read the totals of the first-level indicators (一级指标得分)
    Scorecard(scorecard::ScorecardArgs),
    /// Read everything the consent allows, in one signed document (信用报告)
    Report(report::ReportArgs),
    /// Have a month delivered for all consents in force, page by page; goes on where it stopped
    Deliveries(deliveries::DeliveriesArgs),
    /// Verify a saved answer offline, check by check
    Verify(verify_file::VerifyArgs),
    /// Prove that a disclosure is in the log, and that the log was not rewritten
    Proof(proof::ProofArgs),
    /// Look at everything between the profile and an answer, and say what to mend
    Doctor(doctor::DoctorArgs),
}

/// Runs the command.
pub(super) async fn run(command: BankCommand, ctx: &Context) -> anyhow::Result<()> {
    let profile = command.profile;
    let profile = profile.as_deref();
    match command.action {
        Action::Token(args) => token::run(args, profile, ctx).await,
        Action::Consent(args) => consent::run(args, profile, ctx).await,
        Action::Grade(args) => grade::run(args, profile, ctx).await,
        Action::Settlements(args) => settlements::run(args, profile, ctx).await,
        Action::History(args) => history::run(args, profile, ctx).await,
        Action::Scorecard(args) => scorecard::run(args, profile, ctx).await,
        Action::Report(args) => report::run(args, profile, ctx).await,
        Action::Deliveries(args) => deliveries::run(args, profile, ctx).await,
        Action::Verify(args) => verify_file::run(&args, profile, ctx),
        Action::Proof(args) => proof::run(args, profile, ctx).await,
        Action::Doctor(args) => doctor::run(args, profile, ctx).await,
    }
}
