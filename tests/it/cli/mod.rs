//! The command line: what commands say and the exit codes scripts rely on.

mod audit;
mod bank;
mod clerks_day;
mod config;
mod consent;
mod doctor;
mod import;
mod lists;
mod migrate;
mod model;
mod models;
mod own_scheme;
mod push;
mod score;
mod serve;

use medcredit::cli;

use crate::support::{block_on, command::medcredit};

#[test]
fn help_is_an_answer() {
    let outcome = block_on(medcredit(&["--help"]));
    assert_eq!(outcome.code, cli::DONE);
    assert!(outcome.out.contains("Usage: medcredit"), "{}", outcome.out);
    assert!(outcome.err.is_empty());
}

#[test]
fn wrong_usage_ends_with_2() {
    for args in [&["no-such-command"][..], &["migrate", "--no-such-flag"], &[]] {
        let outcome = block_on(medcredit(args));
        assert_eq!(outcome.code, cli::WRONG_USAGE, "{args:?}");
        assert!(outcome.out.is_empty() && !outcome.err.is_empty(), "complaints go to standard error");
    }
}

#[test]
fn a_number_out_of_bounds_is_wrong_usage() {
    let register = ["client", "register", "--name", "B", "--authority", "a", "--subject", "CN=b", "--max-pending"];
    for (args, option) in [(&register[..], "--max-pending"), (&["consent", "list", "--limit"], "--limit")] {
        for number in ["-1", "0"] {
            let (last, before) = args.split_last().unwrap();
            let last = format!("{last}={number}");
            let outcome = block_on(medcredit(&[before, &[last.as_str()]].concat()));
            assert_eq!(outcome.code, cli::WRONG_USAGE, "{last}");
            assert!(outcome.err.contains(option), "{}", outcome.err);
        }
    }
}

#[test]
fn a_command_without_its_configuration_says_how_to_give_one() {
    let outcome = block_on(medcredit(&["migrate"]));
    assert_eq!(outcome.code, cli::WRONG_USAGE);
    assert!(outcome.err.contains("--config FILE"), "{}", outcome.err);
}
