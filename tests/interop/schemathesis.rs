//! The OpenAPI document against the running gateway: a third-party generator makes valid and invalid requests, alone and in
//! sequence, and checks every response against the document.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use serde_json::Value;

use crate::demo::{bash, free_ports, medcredit, python_with, set_up};

/// The clients and their kinds: one bank requests and revokes consents, another reads.
const CLIENTS: [(&str, &str); 4] =
    [("bank", "bank"), ("reader", "bank"), ("auditor", "auditor"), ("department", "department")];

/// A gateway with limits that are wide enough for a generator, over a demonstration's data; killed when dropped.
struct Gateway {
    directory: tempfile::TempDir,
    url: String,
    child: Child,
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // Fails if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Gateway {
    fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let port = free_ports();
        let setting_up = set_up();
        run(medcredit()
            .args(["demo", "--once", "--scale", "0.02", "--port-base", &port.to_string(), "--dir"])
            .arg(directory.path()));
        drop(setting_up);
        let mut settings = std::fs::read_to_string(directory.path().join("gateway.toml")).unwrap();
        // The generator sends hundreds of bad tokens; the limit on failed authentication has tests of its own.
        settings.push_str("\n[limits]\nauthentication_failures = { quota = 1000000, window_seconds = 1 }\n");
        settings.push_str("\n[tokens]\nlifetime_seconds = 600\n");
        let config = directory.path().join("serve.toml");
        std::fs::write(&config, settings).unwrap();
        let mut command = medcredit();
        command.arg("--config").arg(&config).arg("serve").stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().unwrap();
        let gateway = Self { url: format!("https://localhost:{port}"), directory, child };
        for (name, kind) in CLIENTS {
            gateway.register(name, kind);
        }
        gateway
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn command(&self, args: &[&str]) {
        run(medcredit().arg("--config").arg(self.path("serve.toml")).args(args));
    }

    /// A client of a kind, with a certificate and quotas of its own.
    fn register(&self, name: &str, kind: &str) {
        let (certificate, key) = (self.path(&format!("{name}.pem")), self.path(&format!("{name}.key")));
        let (certificate, key) = (certificate.to_str().unwrap(), key.to_str().unwrap());
        let place = ["--set", "organization=generator", "--set", &format!("name={name}")];
        let files = ["--certificate-out", certificate, "--key-out", key];
        self.command(&[&["certs", "issue", "--profile", "bank-client"], &place[..], &files].concat());
        let limits = ["--limit", "burst=1000000", "--limit", "sustained=1000000", "--limit", "deliveries=1000000"];
        let pending = ["--max-pending", "1000000"];
        let who = ["client", "register", "--name", name, "--kind", kind, "--authority", "development"];
        let delivers: &[&str] = match kind {
            "department" => &["--template", "records", "--source", "市场监管局"],
            _ => &[],
        };
        self.command(&[&who[..], &["--certificate", certificate], &limits, &pending, delivers].concat());
    }

    /// What `curl` gets as a client.
    fn curl(&self, kind: &str, rest: &str) -> Value {
        let directory = self.directory.path().display();
        // The first call may come before the gateway listens, and before it has learnt of its new client.
        let said = bash(&format!(
            "curl --silent --show-error --fail --retry 30 --retry-all-errors --retry-delay 1 --retry-connrefused \
             --cacert '{directory}/certs/ca.pem' --cert '{directory}/{kind}.pem' --key '{directory}/{kind}.key' {rest}"
        ));
        serde_json::from_str(&said).unwrap()
    }

    /// A consent in force over a subject.
    fn consent(&self, token: &str, subject: &Value, purpose: &str) -> String {
        let wish = serde_json::json!({
            "uscc": subject["uscc"], "codes": [subject["code"]], "product": "generator", "purposes": [purpose],
            "permissions": ["grade", "grade_history", "scorecard", "settlements"],
        });
        let json = "-H 'Content-Type: application/json'";
        let asked = self.curl("reader", &format!("{json} -d '{wish}' {} {}/v1/consents", bearer(token), self.url));
        let id = asked["id"].as_str().unwrap().to_owned();
        self.command(&["consent", "grant", &id, "--text-sha256", &"ab".repeat(32)]);
        id
    }

    fn token(&self, kind: &str) -> String {
        let issued = self.curl(kind, &format!("{}/oauth2/token -d grant_type=client_credentials", self.url));
        issued["access_token"].as_str().unwrap().to_owned()
    }
}

fn bearer(token: &str) -> String {
    format!("-H 'Authorization: Bearer {token}'")
}

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{command:?}\n{said}\n{}", String::from_utf8_lossy(&output.stderr));
    said
}

/// A bank that reads the document word for word, and an auditor.
#[test]
fn the_live_gateway_keeps_to_its_document() {
    let python = python_with("schemathesis", &["schemathesis==4.32.5"]);
    let gateway = Gateway::start();
    let [banks, token, auditors, departments] = CLIENTS.map(|(name, _)| gateway.token(name));
    let summary: Value = serde_json::from_str(&std::fs::read_to_string(gateway.path("demo.json")).unwrap()).unwrap();
    let consent = gateway.consent(&token, &summary["subjects"][0], "pre_loan_review");
    gateway.consent(&token, &summary["subjects"][1], "post_loan_management");
    let grade = gateway.curl("reader", &format!("{}/v1/consents/{consent}/grade {}", gateway.url, bearer(&token)));
    let disclosure = grade["disclosure"].as_str().unwrap();
    // Sealed within a second.
    gateway.curl("reader", &format!("{}/v1/disclosures/{disclosure}/proof {}", gateway.url, bearer(&token)));
    let header = "subject_code,measure,value,occurred_on,source,reference";
    let fact = format!(
        "{},insurance_commendation,1,2026-01-05,市场监管局,1",
        summary["subjects"][0]["code"].as_str().unwrap()
    );
    let csv = format!("-H 'Content-Type: text/csv' --data-binary $'{header}\\n{fact}\\n' {}", bearer(&departments));
    let imported = gateway.curl("department", &format!("{csv} {}/v1/imports/records", gateway.url));
    let path = |name: &str| gateway.path(name).to_str().unwrap().to_owned();
    let mut config = include_str!("schemathesis.toml").to_owned();
    for (place, value) in [
        ("@CA@", path("certs/ca.pem")),
        ("@BANK@", path("bank")),
        ("@AUDITOR@", path("auditor")),
        ("@READER@", path("reader")),
        ("@TOKEN@", banks),
        ("@READERS_TOKEN@", token.clone()),
        ("@AUDITORS_TOKEN@", auditors),
        ("@DEPARTMENT@", path("department")),
        ("@DEPARTMENTS_TOKEN@", departments),
        ("@IMPORT@", imported["id"].as_str().unwrap().to_owned()),
        ("@HOOKS@", format!("{}/tests/interop/schemathesis_hooks.py", env!("CARGO_MANIFEST_DIR"))),
        ("@CONSENT@", consent),
        ("@DISCLOSURE@", disclosure.to_owned()),
    ] {
        config = config.replace(place, &value);
    }
    std::fs::write(gateway.path("schemathesis.toml"), config).unwrap();
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi/bank.v1.json");
    let said = run(Command::new(python.with_file_name("schemathesis"))
        .current_dir(gateway.directory.path())
        .args(["--no-color", "--config-file", "schemathesis.toml", "run"])
        .arg(document)
        .args(["--url", &gateway.url]));
    // What it did, so that a run that did nothing does not pass.
    let phases = ["Examples", "Coverage", "Fuzzing", "Stateful"];
    assert!(phases.iter().all(|phase| said.contains(&format!("\u{2705} {phase}"))), "{said}");
}
