//! A bank's side of the gateway, over the public API only: its profile, its requests, saved answers and their verification.
//!
//! These commands need a profile of a few lines, and neither a gateway's configuration nor a database. Nothing is shown
//! before it is verified: an answer's digest, signature and receipt first, then its contents.

mod archive;
mod assertion;
mod client;
mod connection;
mod consent;
mod deliveries;
mod diagnosis;
mod doctor;
mod grade;
mod history;
mod keys;
mod log;
mod profile;
mod proof;
mod receipt;
mod report;
mod saved_answer;
mod scorecard;
mod session;
mod settlements;
pub(in crate::cli) mod show;
mod token;
mod verify;
mod verify_file;

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Context;

pub(super) use client::{BankClient, Call};
pub(super) use keys::{GatewayKeys, short};
pub(super) use log::fetch_proof;
pub(super) use profile::{Profile, ProfileError};
pub(super) use saved_answer::Response;
pub(super) use verify::{verify_answer, verify_proof};

/// Act as a bank: read data under a consent, verify the answers, save them as evidence and prove them later.
///
/// Needs only a profile: `bank.toml` with origin, ca, certificate and key. docs/BANK-KIT.md covers a bank's first day.
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
    /// Request an access token and show its scopes and lifetime
    Token(token::TokenArgs),
    /// Request, show, list and revoke consents, and fetch their receipts
    Consent(consent::ConsentCommand),
    /// Read the grade of each covered code (信用等级)
    Grade(grade::GradeArgs),
    /// Read monthly settlement summaries as tables and a chart (医保月度结算)
    Settlements(settlements::SettlementsArgs),
    /// Read the grades of earlier rounds (历史等级)
    History(history::HistoryArgs),
    /// Read the totals of the first-level indicators (一级指标得分)
    Scorecard(scorecard::ScorecardArgs),
    /// Read everything the consent allows, in one signed document (信用报告)
    Report(report::ReportArgs),
    /// Fetch a month's data for all active consents, page by page; continues after an interruption
    Deliveries(deliveries::DeliveriesArgs),
    /// Verify a saved answer offline, check by check
    Verify(verify_file::VerifyArgs),
    /// Fetch the proof that a disclosure is in the log, and check that the log was not rewritten
    Proof(proof::ProofArgs),
    /// Check everything between the profile and an answer, and say how to fix what is wrong
    Doctor(doctor::DoctorArgs),
}

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
