//! Every command that changes something takes `--operator`, and leaves one ledger entry for each change.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::Arc,
};

use medcredit::{
    authority::files,
    cli,
    consent::{ConsentPolicy, Consents, NewConsent},
    domain::{
        Kinds, ManualClock, SeededEntropy,
        permission::{Permission, Purpose},
    },
    identity::{CertificateFacts, KeyPair, Signer as _, Suite, certificate::thumbprint},
    store::{Db, Env, clients},
};
use serde_json::Value;

use crate::support::{
    block_on,
    command::{Outcome, medcredit_with_input},
    logs::never_logged,
    pki::TestCa,
    store::START,
};

mod approvals;

/// The commands that change the store.
const CHANGES: &[&str] = &[
    "approval approve",
    "approval execute",
    "approval reject",
    "approval withdraw",
    "backup",
    "certs distrust",
    "certs init",
    "certs issue",
    "certs refuse",
    "certs revoke",
    "certs roll",
    "certs trust",
    "client register",
    "client resume",
    "client signing",
    "client suspend",
    "clock accept",
    "consent amend",
    "consent grant",
    "consent reject",
    "consent resume",
    "consent revoke",
    "consent suspend",
    "import",
    "fact restore",
    "fact void",
    "keys init",
    "keys prepare",
    "keys reseal",
    "keys revoke",
    "keys rotate",
    "migrate",
    "objection decide",
    "objection open",
    "operator create",
    "operator reset",
    "operator resume",
    "operator roles",
    "operator suspend",
    "push pause",
    "push resume",
    "push retry",
    "push run",
    "push waive",
    "score correct",
    "score discard",
    "score export",
    "score preassess",
    "score publish",
    "score run",
    "subject find",
    "subject show",
];

/// The commands that change the store and need a sealed ledger, one that was turned back, or none yet: `ledger/command.rs`,
/// `history.rs` and `backup.rs` count their entries.
const CHANGES_SEALED: &[&str] = &["ledger accept-checkpoint", "recover", "restore"];

/// The commands that leave no entry of their own: they read, write only files, run the gateway, set up a demonstration
/// with the use-cases above, or act as a bank over the API.
const WITHOUT_ENTRY: &[&str] = &[
    "approval list",
    "approval show",
    "bank consent list",
    "bank consent receipt",
    "bank consent request",
    "bank consent revoke",
    "bank consent show",
    "bank deliveries",
    "bank doctor",
    "bank grade",
    "bank history",
    "bank proof",
    "bank report",
    "bank scorecard",
    "bank settlements",
    "bank token",
    "bank verify",
    "catalogue export",
    "catalogue show",
    "catalogue status",
    "certs list",
    "client list",
    "config check",
    "config print",
    "consent list",
    "consent show",
    "demo",
    "doctor",
    "generate",
    "keys list",
    "ledger checkpoint",
    "ledger prove",
    "ledger verify",
    "model check",
    "model diff",
    "model doc",
    "model export",
    "model map",
    "model show",
    "openapi",
    "operator list",
    "operator show",
    "push check",
    "push holders",
    "push list",
    "push plan",
    "push reconcile",
    "push rejects",
    "push status",
    "score bias",
    "score compare",
    "score due",
    "objection list",
    "score explain",
    "score list",
    "score replay",
    "score report",
    "score results",
    "score show",
    "score simulate",
    "score verify-package",
    "serve",
];

/// The commands without subcommands, by their full names, and whether each takes `--operator`.
fn commands() -> BTreeMap<String, bool> {
    fn walk(command: &clap::Command, name: &str, found: &mut BTreeMap<String, bool>) {
        let subcommands: Vec<_> = command.get_subcommands().filter(|sub| sub.get_name() != "help").collect();
        if subcommands.is_empty() {
            found.insert(name.to_owned(), command.get_arguments().any(|arg| arg.get_long() == Some("operator")));
        }
        for sub in subcommands {
            walk(sub, format!("{name} {}", sub.get_name()).trim(), found);
        }
    }
    let mut command = cli::command();
    command.build();
    let mut found = BTreeMap::new();
    walk(&command, "", &mut found);
    found
}

#[test]
fn every_command_is_listed_as_changing_something_or_not() {
    let listed: BTreeSet<_> =
        CHANGES.iter().chain(CHANGES_SEALED).chain(WITHOUT_ENTRY).map(|name| (*name).to_owned()).collect();
    assert_eq!(listed.len(), CHANGES.len() + CHANGES_SEALED.len() + WITHOUT_ENTRY.len(), "no command is in two lists");
    assert_eq!(commands().into_keys().collect::<BTreeSet<_>>(), listed);
}

#[test]
fn every_command_that_changes_something_takes_an_operator() {
    let commands = commands();
    let without: Vec<_> = CHANGES.iter().chain(CHANGES_SEALED).filter(|name| !commands[**name]).collect();
    assert!(without.is_empty(), "{without:?}");
}

const FIRST_KEY: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
const SECOND_KEY: &str = "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=";
const CITY: [&str; 6] = ["--scale", "0.005", "--staff", "0.0002", "--months", "3"];

/// An operator's directory, and the commands that were run in it.
struct Site {
    directory: tempfile::TempDir,
    clock: Arc<ManualClock>,
    run: BTreeSet<&'static str>,
}

impl Site {
    fn new() -> Self {
        let site = Self {
            directory: tempfile::tempdir().unwrap(),
            clock: ManualClock::new(START.parse().unwrap()),
            run: BTreeSet::new(),
        };
        std::fs::write(site.path("gateway.toml"), "").unwrap();
        std::fs::create_dir(site.path("secrets")).unwrap();
        site.write_keys(&[FIRST_KEY]);
        site
    }

    fn write_keys(&self, keys: &[&'static str]) {
        let text: String = keys.iter().map(|key| format!("{}\n", never_logged(key))).collect();
        std::fs::write(self.path("secrets/key-encryption-keys"), text).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn name(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    async fn db(&self) -> Db {
        Db::open_sqlite(&self.path("data")).await.unwrap()
    }

    /// The types, actions and actors of all entries, by id.
    async fn entries(&self) -> BTreeMap<String, (String, String)> {
        if !self.path("data").exists() {
            return BTreeMap::new();
        }
        let db = self.db().await;
        let sql = "SELECT e.id, e.type, o.body FROM ledger_entries e JOIN ledger_openings o ON o.entry_id = e.id";
        let rows: Vec<(String, String, String)> = db.read("test").fetch_all(sql, Vec::new()).await.unwrap();
        db.close().await;
        let actor = |body: &str| {
            let opening: Value = serde_json::from_str(body).unwrap();
            opening.pointer("/fields/actor/value").and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        rows.into_iter().map(|(id, kind, body)| (id, (kind, actor(&body)))).collect()
    }

    /// Runs a command that must leave this many entries, all of the operator lin.
    async fn leaves(&mut self, entries: usize, command: &'static str, args: &[&str]) -> Outcome {
        self.leaves_with_input(entries, command, args, "").await
    }

    async fn leaves_with_input(
        &mut self,
        entries: usize,
        command: &'static str,
        args: &[&str],
        input: &str,
    ) -> Outcome {
        let before = self.entries().await;
        let config = self.name("gateway.toml");
        let words: Vec<&str> = command.split(' ').collect();
        let operator = if commands()[command] { &["--operator", "lin"][..] } else { &[] };
        let line = [&["--config", &config], &words[..], args, operator].concat();
        let outcome = medcredit_with_input(self.clock.clone(), &line, input).await;
        // A file that is known leaves no entry, and the code says that nothing was done.
        let expected =
            if entries == 0 && outcome.out.contains("the same file") { cli::NOTHING_DONE } else { cli::DONE };
        assert_eq!(outcome.code, expected, "{command} {args:?}: {}{}", outcome.out, outcome.err);
        let after = self.entries().await;
        let new: Vec<_> = after.iter().filter(|(id, _)| !before.contains_key(*id)).map(|(_, entry)| entry).collect();
        assert_eq!(new.len(), entries, "{command} {args:?}: {new:?}");
        assert!(new.iter().all(|(_, actor)| actor == "operator:lin"), "{command} {args:?}: {new:?}");
        if entries > 0 {
            self.run.insert(command);
        }
        outcome
    }

    /// Requests a consent as the only bank.
    async fn request(&self, code: &str, uscc: &str) -> String {
        let db = self.db().await;
        // Other bytes than the ones of earlier requests: ids must differ.
        let entropy = SeededEntropy::new(1_000 + u64::try_from(self.run.len()).unwrap());
        let bank = clients::list(&db).await.unwrap().remove(0).id.parse().unwrap();
        let kinds = Arc::new(Kinds::built_in().unwrap());
        let policy: ConsentPolicy =
            medcredit::app::consent_policy(&medcredit::config::Config::load(&self.path("gateway.toml")).unwrap());
        let consents = Consents::open(Env::new(db.clone(), self.clock.clone(), entropy), kinds, policy);
        let new = NewConsent {
            uscc: uscc.into(),
            codes: vec![code.into()],
            permissions: vec![Permission::Grade],
            purposes: vec![Purpose::PreLoanReview],
            product: "loan".into(),
            reference: None,
            data_from: None,
            data_to: None,
            valid_for_days: None,
            max_fetches: None,
            daily_budget: None,
        };
        let id = consents.request(bank, 1000, &new).await.unwrap().id.to_string();
        db.close().await;
        id
    }
}

/// The value that follows a word in a command's output.
fn after<'a>(text: &'a str, word: &str) -> &'a str {
    let (_, rest) = text.split_once(word).unwrap_or_else(|| panic!("{word:?} in {text}"));
    rest.split_whitespace().next().unwrap().trim_end_matches([':', ','])
}

/// Schema, keys, certificates and clients.
async fn set_up(site: &mut Site) {
    site.leaves(1, "migrate", &[]).await;
    site.leaves(0, "migrate", &[]).await;
    site.leaves(3, "keys init", &[]).await;
    site.leaves(0, "keys init", &[]).await;
    site.leaves(1, "keys prepare", &["answer_signing"]).await;
    site.clock.advance(medcredit::authority::keys::PUBLISHED_AHEAD);
    site.leaves(1, "keys rotate", &["answer_signing"]).await;
    site.leaves(1, "keys rotate", &["token_signing", "--now"]).await;
    let listed = site.leaves(0, "keys list", &[]).await.out;
    let retired = listed.lines().find(|line| line.contains("retired")).unwrap().split(' ').next().unwrap().to_owned();
    site.leaves(1, "keys revoke", &[&retired, "--reason", "lost"]).await;
    let set = ["--set", "organization=示范医保局", "--set", "name=gateway"];
    // The authority, and its key.
    site.leaves(2, "certs init", &set).await;
    let bank =
        ["--profile", "bank-client", "--certificate-out", &site.name("bank.pem"), "--key-out", &site.name("bank.key")];
    site.leaves(1, "certs issue", &[&bank[..], &set].concat()).await;
    let certificate = files::read_item(files::CERTIFICATE, &site.path("bank.pem")).unwrap();
    let partner = TestCa::root("Partner CA");
    std::fs::write(site.path("partner.pem"), files::to_pem(files::CERTIFICATE, &partner.certificate).as_bytes())
        .unwrap();
    std::fs::write(site.path("partner.crl"), partner.list(&[]).der()).unwrap();
    let (pem, crl) = (site.name("partner.pem"), site.name("partner.crl"));
    site.leaves(1, "certs trust", &["partner", "--certificate", &pem, "--crl", &crl]).await;
    let refused = thumbprint(&partner.bank("bank-b", 8).chain[0]);
    site.leaves(1, "certs refuse", &[&refused, "--reason", "by telephone"]).await;
    site.leaves(1, "certs distrust", &["partner", "--reason", "merged"]).await;
    let subject = CertificateFacts::read(&certificate).unwrap().subject;
    let register = ["--name", "bank-a", "--authority", "own", "--subject", &subject];
    site.leaves(1, "client register", &register).await;
    let key = KeyPair::from_pkcs8(Suite::Es256, &KeyPair::generate(Suite::Es256).unwrap()).unwrap();
    let keys = serde_json::json!({ "keys": [key.public_key().jwk()] });
    std::fs::write(site.path("bank.jwks"), keys.to_string()).unwrap();
    let jwks = site.name("bank.jwks");
    site.leaves(1, "client signing", &["bank-a", "--signed-requests", "allowed", "--jwks", &jwks]).await;
    let platform = ["--name", "platform", "--kind", "platform", "--platform", "city-credit-platform"];
    let place = ["--authority", "own", "--subject", "CN=platform", "--jwks", &jwks];
    site.leaves(1, "client register", &[&platform[..], &place].concat()).await;
    site.leaves(1, "client suspend", &["bank-a"]).await;
    site.leaves(1, "client resume", &["bank-a"]).await;
    // The new authority, and its key; after a leak also the end of the trust in the former one.
    let out = site.name("ca-2.pem");
    site.leaves(2, "certs roll", &[&["--certificate-out", &out][..], &set].concat()).await;
    let (out, leaked) = (site.name("ca-3.pem"), ["--compromised", "--reason", "its key leaked"]);
    site.leaves(3, "certs roll", &[&["--certificate-out", &out][..], &leaked, &set].concat()).await;
    site.leaves(1, "certs revoke", &[&CertificateFacts::read(&certificate).unwrap().thumbprint]).await;
}

/// Files of the bureau, and a subject's personal data. Returns the code and the legal entity of an institution.
async fn import(site: &mut Site) -> (String, String) {
    let city = site.name("city");
    site.leaves(0, "generate", &[&["--out", &city][..], &CITY].concat()).await;
    let order = std::fs::read_to_string(site.path("city/README.txt")).unwrap();
    let imports: Vec<Vec<String>> = order
        .lines()
        .filter_map(|line| line.trim().strip_prefix("medcredit import "))
        .map(|line| line.split(' ').map(str::to_owned).collect())
        .collect();
    assert!(!imports.is_empty(), "{order}");
    for words in imports {
        let (template, names) = words.split_first().unwrap();
        for name in names {
            let file = format!("{city}/{}", name.rsplit('/').next().unwrap());
            site.leaves(0, "import", &["--check", template, &file]).await;
            site.leaves(1, "import", &[template, &file]).await;
            site.leaves(0, "import", &[template, &file]).await;
        }
    }
    let folder = std::fs::read_dir(site.path("city")).unwrap().map(|file| file.unwrap().path());
    let records =
        folder.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("records")).min().unwrap();
    let records = std::fs::read_to_string(records).unwrap();
    let fact: Vec<&str> = records.lines().nth(1).unwrap().split(',').collect();
    let document = [fact[0], fact[1], fact[5], "--reason", "decided after a reconsideration"];
    site.leaves(1, "fact void", &document).await;
    site.leaves(0, "fact void", &document).await;
    site.leaves(1, "fact restore", &document).await;
    let subjects = std::fs::read_to_string(site.path("city/subjects.csv")).unwrap();
    let row = subjects.lines().find(|line| line.starts_with("medical_institution,")).unwrap();
    let cells: Vec<&str> = row.split(',').collect();
    let (code, uscc, name) = (cells[1].to_owned(), cells[2].to_owned(), cells[3].to_owned());
    site.leaves(0, "subject show", &[&code]).await;
    site.leaves(1, "subject show", &[&code, "--reveal", "--purpose", "a test"]).await;
    site.leaves(0, "subject find", &["--uscc", &uscc]).await;
    site.leaves_with_input(1, "subject find", &["--name", "--purpose", "a test"], &name).await;
    (code, uscc)
}

async fn consents(site: &mut Site, code: &str, uscc: &str) {
    let id = site.request(code, uscc).await;
    let signed = ["--text-sha256", &"ab".repeat(32)];
    site.leaves(1, "consent grant", &[&[id.as_str()][..], &signed].concat()).await;
    site.leaves(1, "consent suspend", &[&id]).await;
    site.leaves(1, "consent resume", &[&id]).await;
    site.leaves(1, "consent amend", &[&id, "--max-fetches", "10"]).await;
    site.leaves(0, "consent show", &[&id]).await;
    site.leaves(1, "consent revoke", &[&id]).await;
    let other = site.request(code, uscc).await;
    site.leaves(1, "consent reject", &[&other]).await;
}

async fn grades(site: &mut Site, code: &str) {
    let run = ["--model", "wenzhou-institution", "--period", "2025-H2"];
    let discarded = site.leaves(1, "score run", &run).await.out;
    let discarded = after(&discarded, "score publish ").to_owned();
    site.leaves(1, "score discard", &[&discarded]).await;
    let made = site.leaves(1, "score run", &run).await.out;
    let made = after(&made, "score publish ").to_owned();
    site.leaves(1, "score preassess", &[&made]).await;
    site.clock.advance(std::time::Duration::from_hours(24 * 60));
    site.leaves(1, "score publish", &[&made]).await;
    let package = site.name("package");
    site.leaves(1, "score export", &[&made, "--to", "city-credit-platform", "--out", &package]).await;
    site.leaves(0, "score correct", &[code, "--reason", "nothing changed"]).await;
    let objection = site.leaves(1, "objection open", &[code, "--reason", "the fine was revoked"]).await.out;
    let objection = objection.split(' ').next().unwrap().to_owned();
    site.leaves(1, "objection decide", &[&objection, "--outcome", "rejected", "--reason", "it was not"]).await;
    let folder = std::fs::read_dir(site.path("city")).unwrap().map(|file| file.unwrap().path());
    let records =
        folder.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("records")).min().unwrap();
    let records = std::fs::read_to_string(records).unwrap();
    let fact: Vec<&str> = records.lines().nth(1).unwrap().split(',').collect();
    let document = [fact[0], fact[1], fact[5], "--reason", "decided after a reconsideration"];
    site.leaves(1, "fact void", &document).await;
    site.leaves(0, "fact void", &document).await;
    site.leaves(1, "fact restore", &document).await;
    // A penalty of the half-year comes late.
    let records = format!(
        "subject_code,measure,value,occurred_on,source,reference\n{code},insurance_penalty,1,2025-12-01,医保局,late\n"
    );
    std::fs::write(site.path("late.csv"), records).unwrap();
    let file = site.name("late.csv");
    site.leaves(1, "import", &["records", &file]).await;
    site.leaves(1, "score correct", &[code, "--reason", "a penalty came late"]).await;
    // It is taken back again: one published result differs.
    let late = [code, "insurance_penalty", "late", "--reason", "withdrawn"];
    let said = site.leaves(1, "fact void", &late).await.out;
    assert!(said.contains("1 published result differs") && said.contains(code), "{said}");
    let listed = site.leaves(0, "score due", &[]).await.out;
    assert!(listed.contains(code) && listed.contains("1 published result differs, 0 overdue"), "{listed}");
    site.leaves(1, "score correct", &["--due", "--reason", "the penalty was withdrawn"]).await;
    let listed = site.leaves(0, "score due", &[]).await.out;
    assert_eq!(listed, "no published result differs from what the records give\n");
}

/// Packages for a platform that takes files, and rejects two rows.
async fn packages(site: &mut Site) {
    let platform = "enterprise-publicity";
    let mut config = std::fs::read_to_string(site.path("gateway.toml")).unwrap();
    config.push_str("[push]\nevaluator = '示范市医疗保障局'\nevaluator_uscc = '11330300MB1234A561'\n");
    config.push_str(&format!("deliver_to = ['{platform}']\n"));
    std::fs::write(site.path("gateway.toml"), config).unwrap();
    let folder = site.path("outgoing/enterprise-publicity");
    std::fs::create_dir_all(folder.join("receipts")).unwrap();
    std::fs::create_dir_all(site.path("platforms")).unwrap();
    site.leaves(0, "push plan", &[]).await;
    site.leaves(1, "push run", &[]).await;
    let data = std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path());
    let data = data.filter(|path| path.extension().is_some_and(|ending| ending == "xml")).min().unwrap();
    let text = std::fs::read_to_string(&data).unwrap();
    let records: Vec<&str> = text.split("<唯一标识>").skip(1).map(|rest| rest.split('<').next().unwrap()).collect();
    let receipts: String = records.iter().take(2).map(|record| format!("{record},1,rejected,R02,unknown\n")).collect();
    let name = format!("{}.csv", data.file_stem().unwrap().to_str().unwrap());
    std::fs::write(folder.join("receipts").join(name), format!("record_id,version,verdict,reason,note\n{receipts}"))
        .unwrap();
    let config = site.name("gateway.toml");
    let outcome =
        medcredit_with_input(site.clock.clone(), &["--config", &config, "push", "run", "--operator", "lin"], "").await;
    assert_eq!(outcome.code, cli::FAILED, "{}{}", outcome.out, outcome.err);
    assert!(outcome.err.contains("2 rows are rejected"), "{}", outcome.err);
    site.leaves(1, "push waive", &[platform, records[0], "--reason", "known there under another name"]).await;
    site.leaves(1, "push retry", &[platform, records[1]]).await;
    site.leaves(1, "push pause", &[platform, "--reason", "maintenance"]).await;
    site.leaves(1, "push resume", &[platform]).await;
    site.leaves(0, "push status", &[]).await;
    let listed = site.leaves(0, "push rejects", &[]).await.out;
    assert_eq!(listed, "nothing is rejected or given up\n");
    let code = records[1].rsplit(':').next().unwrap();
    let held = site.leaves(0, "push holders", &[code]).await.out;
    assert!(held.contains("version 2 I open"), "{held}");
}

/// Accounts of the console.
async fn operators(site: &mut Site) {
    let roles = ["--role", "security", "--role", "push_officer:330302,330303"];
    let made = site.leaves(1, "operator create", &[&["wang"][..], &roles].concat()).await.out;
    never_logged(after(&made, "/enrol/"));
    site.leaves(1, "operator suspend", &["wang", "--reason", "on leave"]).await;
    site.leaves(0, "operator suspend", &["wang"]).await;
    site.leaves(1, "operator resume", &["Wang"]).await;
    site.leaves(0, "operator resume", &["wang"]).await;
    site.leaves(1, "operator roles", &["wang", "--role", "audit"]).await;
    site.leaves(0, "operator roles", &["wang", "--role", "audit"]).await;
    site.leaves(1, "operator reset", &["wang", "--reason", "lost its telephone"]).await;
    let listed = site.leaves(0, "operator list", &[]).await.out;
    assert!(listed.contains("invited") && listed.contains("wang  audit") && listed.contains("1 operators"), "{listed}");
    site.leaves(0, "operator show", &["wang"]).await;
}

#[test]
fn every_command_leaves_one_entry_for_each_change() {
    block_on(async {
        let mut site = Site::new();
        set_up(&mut site).await;
        let (code, uscc) = import(&mut site).await;
        consents(&mut site, &code, &uscc).await;
        grades(&mut site, &code).await;
        packages(&mut site).await;
        operators(&mut site).await;
        approvals::acts(&mut site).await;
        site.leaves(1, "clock accept", &["--reason", "checked with the time signal"]).await;
        // The private keys, the secret of an operator's codes, and the personal data of subjects.
        site.write_keys(&[SECOND_KEY, FIRST_KEY]);
        site.leaves(3, "keys reseal", &[]).await;
        site.leaves(0, "keys reseal", &[]).await;
        let archive = site.name("backup.tar");
        site.leaves(1, "backup", &[&archive]).await;
        assert_eq!(site.run, CHANGES.iter().copied().collect(), "every listed command was run");
        site.leaves(0, "ledger verify", &[]).await;
    });
}
