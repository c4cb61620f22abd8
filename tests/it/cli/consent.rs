//! `medcredit consent amend`: an operator at the command line changes a consent.

use medcredit::cli;

use crate::support::{
    TestStore,
    app::TestApp,
    block_on,
    command::{Outcome, medcredit},
    store::StoreLocation,
};

#[test]
fn an_amendment_from_the_command_line_keeps_to_its_bounds_and_needs_a_text() {
    block_on(async {
        let app = TestApp::start(TestStore::sqlite().await).await;
        let bank = app.bank("Bank A").await;
        let id = app.consent(&bank, |_| {}).await.id.to_string();
        let StoreLocation::Sqlite(directory) = app.store.location() else { panic!("it is on SQLite") };
        let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
        let (config, text) = (path("amend.toml"), path("signed.txt"));
        std::fs::write(&config, "[store]\ndirectory = '.'\n").unwrap();
        std::fs::write(&text, "授权书 signed again\n").unwrap();
        let amend = async |args: &[&str]| -> Outcome {
            let line = ["consent", "--operator", "tester", "--config", &config, "amend", &id];
            medcredit(&[&line[..], args].concat()).await
        };
        for args in [
            &["--daily-budget=-5", "--text", &text][..],
            &["--data-from", "1900-01", "--data-to", "2026-03", "--text", &text],
            &["--expires-at", "2096-01-01T00:00:00Z", "--text", &text],
        ] {
            let refused = amend(args).await;
            assert_eq!(refused.code, cli::FAILED, "{args:?}");
            assert!(refused.err.contains("invalid_request"), "{args:?}: {}", refused.err);
        }
        let wider = ["--permission", "grade", "--permission", "settlements", "--permission", "scorecard"];
        let refused = amend(&wider).await;
        assert_eq!(refused.code, cli::FAILED);
        assert!(refused.err.contains("consent_evidence_required"), "{}", refused.err);
        let both = amend(&["--text", &text, "--text-sha256", &"ab".repeat(32)]).await;
        assert_eq!(both.code, cli::WRONG_USAGE);
        let signed = [&wider[..], &["--text", &text, "--text-version", "2", "--signer", "authorised_agent"]].concat();
        assert_eq!(amend(&signed).await.done(), format!("{id} is active (version 3)\n"));
        assert_eq!(amend(&["--daily-budget", "5"]).await.done(), format!("{id} is active (version 4)\n"));
        let grant = medcredit(&["consent", "--operator", "tester", "--config", &config, "grant", &id]).await;
        assert_eq!(grant.code, cli::WRONG_USAGE, "a grant without a text: {}", grant.err);
    });
}
