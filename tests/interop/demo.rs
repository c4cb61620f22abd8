//! The demonstration as its users meet it: an empty directory, `curl`, and a verifier that is not ours.

use std::{
    io::{BufRead, BufReader},
    net::TcpListener,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU16, Ordering},
    },
};

use medcredit::{
    authority::files,
    identity::{KeyPair, Signer as _, Suite},
};
use serde_json::Value;

/// A demonstration that stays up until the tests end.
pub(crate) struct Demonstration {
    directory: tempfile::TempDir,
    printed: String,
    _child: Mutex<Child>,
}

impl Demonstration {
    #[expect(clippy::zombie_processes, reason = "it stays up until this process has ended, which closes its input")]
    pub(crate) fn start() -> Self {
        let _setting_up = set_up();
        let directory = tempfile::tempdir().unwrap();
        // The shell stops it when its own input closes, which it does however this process ends, and ends with it: a demonstration that
        // fails closes its output, and nobody waits for a line that never comes.
        let mut child = Command::new("sh")
            .args([
                "-c",
                r#"exec 3<&0; "$@" </dev/null & demo=$!; { cat <&3; kill $demo; } >/dev/null 2>&1 & wait $demo"#,
                "sh",
            ])
            .arg(env!("CARGO_BIN_EXE_medcredit"))
            .args(["demo", "--scale", "0.02", "--port-base", &free_ports().to_string(), "--dir"])
            .arg(directory.path())
            .stdout(Stdio::piped())
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let mut printed = String::new();
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            printed.push_str(&line);
            printed.push('\n');
            if line.starts_with("Everything is listed in") {
                return Self { directory, printed, _child: Mutex::new(child) };
            }
        }
        panic!("the demonstration ended early:\n{printed}");
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn summary(&self) -> Value {
        let text = std::fs::read_to_string(self.directory.path().join("demo.json")).unwrap();
        serde_json::from_str(&text).unwrap()
    }
}

/// Demonstrations are set up one at a time: several, beside all other tests, would wait for the disk until their databases give up.
pub(crate) fn set_up() -> MutexGuard<'static, ()> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Seven ports in a row that nobody has. Below those that the system gives to connections: other tests, which run beside these,
/// would take one of them before the demonstration does.
pub(crate) fn free_ports() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = u16::try_from(std::process::id() % 3_000).unwrap();
    loop {
        let nth = start.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % 3_000;
        let port = 10_000 + 7 * nth;
        if (0..=6).all(|next| TcpListener::bind(("127.0.0.1", port + next)).is_ok()) {
            return port;
        }
    }
}

pub(crate) fn medcredit() -> Command {
    Command::new(env!("CARGO_BIN_EXE_medcredit"))
}

/// The one that tests share: none of them changes what another needs.
fn demonstration() -> &'static Demonstration {
    static ONE: OnceLock<Demonstration> = OnceLock::new();
    ONE.get_or_init(Demonstration::start)
}

pub(crate) fn bash(script: &str) -> String {
    let output = Command::new("bash").args(["-euo", "pipefail", "-c", script]).output().expect("bash is installed");
    assert!(output.status.success(), "{script}\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A person with only `curl` and demo.json.
#[test]
fn curl_and_the_summary_are_enough_for_a_token_and_a_grade() {
    let summary = demonstration().summary();
    let text = |pointer: &str| summary.pointer(pointer).unwrap().as_str().unwrap().to_owned();
    let tls = format!(
        "--silent --show-error --cacert '{}' --cert '{}' --key '{}'",
        text("/ca"),
        text("/banks/0/certificate"),
        text("/banks/0/key")
    );
    let url = text("/partner_url");
    let token: Value =
        serde_json::from_str(&bash(&format!("curl {tls} {url}/oauth2/token -d grant_type=client_credentials")))
            .unwrap();
    let token = token["access_token"].as_str().unwrap();
    let get = |path: &str| -> Value {
        serde_json::from_str(&bash(&format!("curl {tls} -H 'Authorization: Bearer {token}' {url}{path}"))).unwrap()
    };
    let grade = get(&format!("/v1/consents/{}/grade", text("/consents/active")));
    assert_eq!(grade["codes"][0]["status"], "graded", "{grade}");
    assert_eq!(grade["codes"][0]["code"], summary["subjects"][0]["code"]);
    for (state, code) in
        [("pending", "consent_not_active"), ("expired", "consent_not_active"), ("revoked", "consent_not_active")]
    {
        let refused = get(&format!("/v1/consents/{}/grade", text(&format!("/consents/{state}"))));
        assert_eq!(refused["code"], code, "{state}: {refused}");
        assert!(refused["detail"].as_str().unwrap().contains(state), "{refused}");
    }
}

/// A person who pastes what was printed.
#[test]
fn the_printed_lines_work_when_pasted() {
    let demonstration = demonstration();
    let lines: Vec<&str> =
        demonstration.printed.lines().filter(|line| line.starts_with("TOKEN=") || line.starts_with("curl ")).collect();
    assert_eq!(lines.len(), 5, "{}", demonstration.printed);
    let said = bash(&lines.join("\necho; echo ----\n"));
    let parts: Vec<&str> = said.split("----").collect();
    assert!(parts[1].contains(r#""status":"graded""#), "{said}");
    assert!(parts[2].contains("200") && parts[2].contains("medcredit-disclosure: id=\"dis_"), "{said}");
    assert!(parts[3].contains(r#""valid":true"#), "{said}");
    assert!(parts[4].contains("medcredit_"), "{said}");
    assert!(demonstration.printed.contains("the bank verifies its place against the signed checkpoint"));
}

/// A bank's security reviewer, with a library from PyPI.
#[test]
fn an_answer_is_verified_by_a_library_that_is_not_ours() {
    let python = python_with("verifiers", PACKAGES);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/verify_answer.py");
    let summary = demonstration().directory.path().join("demo.json");
    let output = Command::new(python).arg(script).arg(summary).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("verified grade") && said.contains("verified settlements"), "{said}");
}

/// A stranger with Python: the portal, and a tree, a note and a tile path written down from their specifications.
#[test]
fn the_log_is_verified_from_the_portal_by_code_that_is_not_ours() {
    let python = python_with("verifiers", PACKAGES);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/verify_log.py");
    let summary = demonstration().directory.path().join("demo.json");
    let output = Command::new(python).arg(script).arg(summary).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("root computed from tiles") && said.contains("inclusion of the disclosure"), "{said}");
}

/// A bank's developer, with a library from PyPI, whose bank is to sign its requests (M1 to M4, A7 no. 35).
#[test]
fn requests_signed_by_a_library_that_is_not_ours_are_taken() {
    let python = python_with("verifiers", PACKAGES);
    let demonstration = Demonstration::start();
    let place = demonstration.directory.path();
    let pkcs8 = KeyPair::generate(Suite::Es256).unwrap();
    let mut jwk = KeyPair::from_pkcs8(Suite::Es256, &pkcs8).unwrap().public_key().jwk();
    jwk.kid = Some("bank-2026".into());
    std::fs::write(place.join("bank.key"), files::to_pem("PRIVATE KEY", &pkcs8).as_bytes()).unwrap();
    std::fs::write(place.join("bank.jwks.json"), serde_json::json!({ "keys": [jwk] }).to_string()).unwrap();
    let summary = demonstration.summary();
    let changed = medcredit()
        .args([
            "--config",
            summary["config"].as_str().unwrap(),
            "client",
            "signing",
            summary["banks"][0]["name"].as_str().unwrap(),
        ])
        .args(["--signed-requests", "required", "--jwks"])
        .arg(place.join("bank.jwks.json"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&changed.stdout).into_owned() + &String::from_utf8_lossy(&changed.stderr);
    assert!(said.contains("signed requests are required"), "{said}");
    // Within a second the gateway knows (I3).
    std::thread::sleep(std::time::Duration::from_secs(1));
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/sign_request.py");
    let output = Command::new(python)
        .arg(script)
        .args([place.join("demo.json"), place.join("bank.key")])
        .arg("bank-2026")
        .output();
    let output = output.unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(said.matches("refused: ").count(), 9, "{said}");
    assert!(said.contains("verified: the answer names the request's signature"), "{said}");
}

/// An administrator at the command line while the gateway runs: what is granted can be read, and a revocation bites on
/// the next request (I2, I3).
#[test]
fn the_command_line_grants_and_revokes_under_the_running_gateway() {
    let summary = demonstration().summary();
    let config = summary["config"].as_str().unwrap();
    let run = |args: &[&str]| {
        let output = medcredit().args(["--config", config]).args(args).output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let text = |pointer: &str| summary.pointer(pointer).unwrap().as_str().unwrap().to_owned();
    let tls = format!(
        "--silent --show-error --cacert '{}' --cert '{}' --key '{}'",
        text("/ca"),
        text("/banks/1/certificate"),
        text("/banks/1/key")
    );
    let url = text("/partner_url");
    let json = |script: &str| -> Value { serde_json::from_str(&bash(script)).unwrap() };
    let token =
        json(&format!("curl {tls} {url}/oauth2/token -d grant_type=client_credentials"))["access_token"].clone();
    let bearer = format!("-H 'Authorization: Bearer {}'", token.as_str().unwrap());
    let wish = format!(
        r#"{{"uscc":"{}","codes":["{}"],"permissions":["grade"],"purposes":["loan_approval"],"product":"test"}}"#,
        text("/subjects/1/uscc"),
        text("/subjects/1/code")
    );
    let asked = json(&format!("curl {tls} {bearer} -H 'Content-Type: application/json' -d '{wish}' {url}/v1/consents"));
    let id = asked["id"].as_str().unwrap();
    let read = format!("curl {tls} {bearer} {url}/v1/consents/{id}/grade");
    assert_eq!(json(&read)["code"], "consent_not_active");
    assert!(run(&["consent", "grant", id, "--text-sha256", &"ab".repeat(32)]).contains("active"));
    assert_eq!(json(&read)["codes"][0]["status"], "graded");
    assert!(run(&["consent", "revoke", id, "--reason", "a test"]).contains("revoked"));
    assert_eq!(json(&read)["code"], "consent_not_active");
    let history = run(&["consent", "show", id]);
    assert!(history.contains("requested") && history.contains("granted") && history.contains("revoked"), "{history}");
    assert!(run(&["client", "list"]).contains("active"));
    run(&["ledger", "verify"]);
}

/// `--once` in an empty directory, and again in the same one.
#[test]
fn once_stops_after_the_walk_through_and_runs_again() {
    // Open to others: where the tests run as root, the database of the demonstration runs as nobody.
    let open = std::fs::Permissions::from_mode(0o755);
    let directory = tempfile::Builder::new().permissions(open).tempdir().unwrap();
    for _ in 0..2 {
        let _setting_up = set_up();
        let output = medcredit()
            .args(["demo", "--once", "--scale", "0.02", "--port-base", &free_ports().to_string(), "--dir"])
            .arg(directory.path())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
        assert!(said.contains("The next request: 403 consent_not_active"), "{said}");
        assert!(said.contains("Three things to try:") && said.contains("ledger verify"), "{said}");
        platforms_have_everything(directory.path());
    }
    let elsewhere = tempfile::tempdir().unwrap();
    std::fs::write(elsewhere.path().join("mine.txt"), "mine").unwrap();
    let refused = medcredit().args(["demo", "--once", "--dir"]).arg(elsewhere.path()).output().unwrap();
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("neither empty nor a demonstration"));
}

/// Every platform of a demonstration has what it is to have, and nothing waits.
fn platforms_have_everything(directory: &Path) {
    let summary: Value = serde_json::from_str(&std::fs::read_to_string(directory.join("demo.json")).unwrap()).unwrap();
    let platforms = summary["platforms"].as_array().unwrap();
    let carriers: Vec<_> = platforms.iter().map(|of| of["carrier"].as_str().unwrap()).collect();
    assert_eq!(carriers, ["https", "file", "file", "exchange"], "PostgreSQL is installed for the tests");
    for platform in platforms {
        assert_eq!((&platform["rejected"], &platform["state"]), (&0.into(), &"working".into()), "{platform}");
        assert!(platform["sent"].as_i64().unwrap() > 50, "{platform}");
        // The row that was rejected, and sent again.
        let open = platform["sent"].as_i64().unwrap() - platform["accepted"].as_i64().unwrap();
        assert_eq!(open, i64::from(platform["carrier"] == "https"), "{platform}");
    }
    let config = directory.join("gateway.toml");
    let plan = medcredit().arg("--config").arg(&config).args(["push", "plan", "--json"]).output().unwrap();
    assert!(plan.status.success(), "{}", String::from_utf8_lossy(&plan.stderr));
    let plans: Value = serde_json::from_slice(&plan.stdout).unwrap();
    for plan in plans.as_array().unwrap() {
        let counts: Vec<_> = ["new", "changed", "withdrawn", "rejected"].iter().map(|of| &plan[of]).collect();
        assert_eq!(counts, [&0, &0, &0, &0], "{plan}");
    }
}

/// What the scripts here need, each at a version that was looked at.
const PACKAGES: &[&str] = &["http-message-signatures==3.0.0", "requests==2.34.2"];

/// A Python with some packages, made once under the target directory. Each set has a place of its own.
pub(crate) fn python_with(set: &str, packages: &[&str]) -> PathBuf {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("python-{set}"));
    let python = place.join("bin/python");
    let mark = place.join("packages");
    let wanted = packages.join("\n");
    if std::fs::read_to_string(&mark).ok().as_deref() != Some(&wanted) {
        let venv = Command::new("python3").args(["-m", "venv", "--clear"]).arg(&place).status();
        assert!(venv.expect("python3 is installed (Debian package python3-venv)").success());
        let pip = Command::new(&python)
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
            .args(packages)
            .status();
        assert!(pip.unwrap().success(), "pip could not install {packages:?}");
        std::fs::write(&mark, wanted).unwrap();
    }
    python
}
