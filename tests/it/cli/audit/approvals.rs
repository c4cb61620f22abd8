//! Commands where another operator has to approve: each act that can be proposed, proposed by wang, approved and executed by lin.

use medcredit::cli;

use super::{Site, after};
use crate::support::{command::medcredit_with_input, logs::never_logged};

impl Site {
    /// Runs a command that is to propose something, as the operator wang, and returns the proposal's id.
    async fn proposed(&self, line: &[&str]) -> String {
        let before = self.entries().await.len();
        let config = self.name("gateway.toml");
        let line = [&["--config", &config], line, &["--operator", "wang", "--reason", "a test"]].concat();
        let outcome = medcredit_with_input(self.clock.clone(), &line, "").await;
        assert_eq!(outcome.code, cli::DONE, "{line:?}: {}{}", outcome.out, outcome.err);
        assert!(outcome.out.contains("nothing is changed yet"), "{line:?}: {}", outcome.out);
        assert_eq!(self.entries().await.len(), before + 1, "{line:?}");
        after(&outcome.out, "proposed ").to_owned()
    }

    /// Proposes an act, and carries it to its end.
    async fn done_by_two(&mut self, line: &[&str]) -> String {
        let id = self.proposed(line).await;
        self.leaves(1, "approval approve", &[&id, "--reason", "compared"]).await;
        // The entry of the act, and the one of the execution.
        let done = self.leaves(2, "approval execute", &[&id]).await.out;
        self.refuses(&["approval", "execute", &id], "is executed").await;
        done
    }

    async fn refuses(&self, line: &[&str], why: &str) {
        let config = self.name("gateway.toml");
        let line = [&["--config", &config], line, &["--operator", "lin"]].concat();
        let outcome = medcredit_with_input(self.clock.clone(), &line, "").await;
        assert!(outcome.code != cli::DONE && outcome.err.contains(why), "{line:?}: {}{}", outcome.out, outcome.err);
    }
}

pub(super) async fn acts(site: &mut Site) {
    let mut config = std::fs::read_to_string(site.path("gateway.toml")).unwrap();
    config.push_str("[approvals]\nrequired = true\n");
    std::fs::write(site.path("gateway.toml"), config).unwrap();
    clients_and_keys(site).await;
    platforms_and_runs(site).await;
    accounts(site).await;
    // Without an approval.
    site.refuses(&["keys", "rotate", "token_signing", "--now"], "--reason").await;
    site.refuses(&["keys", "rotate", "token_signing", "--now", "--break-glass"], "--reason").await;
    let alone = ["token_signing", "--now", "--break-glass", "--reason", "it leaked, and nobody else is here"];
    let alarmed = site.leaves(2, "keys rotate", &alone).await;
    assert!(alarmed.err.contains("an alert is raised"), "{}", alarmed.err);
    // Taken back, and rejected.
    let own = site.leaves(1, "keys rotate", &["token_signing", "--now", "--reason", "a test"]).await.out;
    let own = after(&own, "proposed ").to_owned();
    site.refuses(&["approval", "approve", &own], "same operator").await;
    site.leaves(1, "approval withdraw", &[&own]).await;
    let other = site.proposed(&["keys", "rotate", "token_signing", "--now"]).await;
    site.refuses(&["approval", "withdraw", &other], "another operator").await;
    site.leaves(1, "approval reject", &[&other, "--reason", "not now"]).await;
    site.refuses(&["approval", "approve", &other], "is rejected").await;
    assert!(site.leaves(0, "approval list", &[]).await.out.contains("0 proposals"));
    let all = site.leaves(0, "approval list", &["--all"]).await.out;
    assert!(["executed", "broken_glass", "withdrawn", "rejected"].iter().all(|state| all.contains(state)), "{all}");
    let shown = site.leaves(0, "approval show", &[&other]).await.out;
    assert!(shown.contains("+ a new token_signing key signs immediately") && shown.contains("not now"), "{shown}");
}

async fn clients_and_keys(site: &mut Site) {
    let new = ["--name", "bank-c", "--authority", "own", "--subject", "CN=bank-c"];
    let said = site.done_by_two(&[&["client", "register"], &new[..]].concat()).await;
    assert!(said.contains("registered cli_"), "{said}");
    assert!(site.leaves(0, "client list", &[]).await.out.contains("bank-c"));
    // Stopping is one person's act.
    site.leaves(1, "client suspend", &["bank-c"]).await;
    assert!(site.done_by_two(&["client", "resume", "bank-c"]).await.contains("resumed bank-c"));
    assert!(site.done_by_two(&["keys", "rotate", "token_signing", "--now"]).await.contains("token_signing"));
    site.leaves(1, "keys prepare", &["answer_signing"]).await;
    site.clock.advance(medcredit::authority::keys::PUBLISHED_AHEAD);
    assert!(site.done_by_two(&["keys", "rotate", "answer_signing"]).await.contains("answer_signing"));
}

async fn platforms_and_runs(site: &mut Site) {
    let platform = "enterprise-publicity";
    site.leaves(1, "push pause", &[platform, "--reason", "maintenance"]).await;
    assert!(site.done_by_two(&["push", "resume", platform]).await.contains("gets its packages again"));
    // There are no such pages: nothing is changed, and the proposal waits.
    let pages = site.proposed(&["push", "retry", platform, "--pages"]).await;
    site.leaves(1, "approval approve", &[&pages]).await;
    site.leaves(0, "approval execute", &[&pages]).await;
    site.leaves(1, "approval reject", &[&pages, "--reason", "there are none"]).await;
    site.refuses(&["approval", "execute", &pages], "is rejected").await;
    let run = site.leaves(1, "score run", &["--model", "wenzhou-institution", "--period", "2025-H2"]).await.out;
    let run = after(&run, "score publish ").to_owned();
    let id = site.proposed(&["score", "publish", &run]).await;
    let shown = site.leaves(0, "approval show", &[&id]).await.out;
    assert!(
        shown.contains("- banks read the grades of run_")
            && shown.contains(&format!("+ banks read the grades of {run}")),
        "{shown}"
    );
    site.leaves(1, "approval reject", &[&id, "--reason", "wrong run"]).await;
    assert!(site.done_by_two(&["score", "publish", &run]).await.contains("is in force"));
}

async fn accounts(site: &mut Site) {
    let said = site.done_by_two(&["operator", "create", "zhao", "--role", "system"]).await;
    never_logged(after(&said, "/enrol/"));
    // What is not privileged is one person's decision.
    let made = site.leaves(1, "operator create", &["chen", "--role", "read_only"]).await.out;
    never_logged(after(&made, "/enrol/"));
    site.leaves(1, "operator roles", &["chen", "--role", "push_officer"]).await;
    site.done_by_two(&["operator", "roles", "chen", "--role", "audit"]).await;
    let outdated = site.proposed(&["operator", "roles", "chen", "--role", "security"]).await;
    site.leaves(1, "approval approve", &[&outdated]).await;
    site.done_by_two(&["operator", "roles", "chen", "--role", "read_only"]).await;
    site.refuses(&["approval", "execute", &outdated], "have changed since").await;
    site.leaves(1, "approval reject", &[&outdated, "--reason", "the roles have changed"]).await;
    site.leaves(1, "operator suspend", &["zhao"]).await;
    assert!(site.done_by_two(&["operator", "resume", "zhao"]).await.contains("can sign in again"));
}
