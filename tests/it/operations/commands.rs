//! The commands of docs/OPERATIONS.md lead from nothing to an answer, line by line.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use medcredit::domain::{Clock as _, HalfYear, SystemClock};

use super::{page, section};
use crate::support::{cluster::Cluster, process::Gateway};

/// The commands of a section: indented lines, joined where a here-document spans several.
fn commands(section: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut open = false;
    for line in section.lines().filter_map(|line| line.strip_prefix("    ")) {
        if open {
            let last = found.last_mut().unwrap();
            last.push('\n');
            last.push_str(line);
            open = line != "END";
        } else {
            found.push(line.to_owned());
            open = line.contains("<<'END'");
        }
    }
    found
}

/// Stands for what the commands of the page need of a host: useradd needs root, and `install -o` the user it made.
const USERADD: &str = "#!/bin/sh\nexit 0\n";
const INSTALL: &str = r#"#!/bin/bash
args=()
while (($#)); do
    case "$1" in
        -o | -g) shift ;;
        *) args+=("$1") ;;
    esac
    shift
done
exec /usr/bin/install "${args[@]}"
"#;
const SCP: &str = "#!/bin/sh\nexec cp \"$@\"\n";

/// A host with a shell that is kept from one command to the next, and the service that systemd would run.
struct Host {
    root: PathBuf,
    shell: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    /// What is written on the page, and what stands there for this host.
    replaced: Vec<(String, String)>,
    service: Option<Gateway>,
}

impl Host {
    /// A host below a directory, with ports of its own.
    fn new(root: &Path, environment: &[(&str, &str)]) -> Self {
        for folder in ["bin", "work/target/dist", "etc/systemd/system", "usr/local/bin"] {
            fs::create_dir_all(root.join(folder)).unwrap();
        }
        for (name, text) in [("useradd", USERADD), ("install", INSTALL), ("scp", SCP)] {
            let path = root.join("bin").join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        symlink(Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy"), root.join("work/deploy")).unwrap();
        symlink(env!("CARGO_BIN_EXE_medcredit"), root.join("work/target/dist/medcredit")).unwrap();
        // Debian keeps some of PostgreSQL's programs beside the server's.
        let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
        let postgres: String = versions.map(|version| format!(":{}/bin", version.path().display())).collect();
        let path = std::env::var("PATH").unwrap();
        let path = format!("{0}/bin:{0}/usr/local/bin:{path}{postgres}", root.display());
        let mut shell = Command::new("bash")
            .args(["--norc", "--noprofile"])
            .current_dir(root.join("work"))
            .env("PATH", path)
            .env_remove("MEDCREDIT_CONFIG")
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (input, output) = (shell.stdin.take().unwrap(), BufReader::new(shell.stdout.take().unwrap()));
        let [partner, telemetry] = free_ports();
        let at = |directory: &str| format!("{}{directory}", root.display());
        let replaced = [
            ("/etc/medcredit", at("/etc/medcredit")),
            ("/var/lib/medcredit", at("/var/lib/medcredit")),
            ("/etc/systemd", at("/etc/systemd")),
            ("/usr/local/bin", at("/usr/local/bin")),
            ("https://credit.example.gov.cn:8443", format!("https://localhost:{partner}")),
            ("credit.example.gov.cn", "localhost".to_owned()),
            ("0.0.0.0:8443", format!("127.0.0.1:{partner}")),
            ("127.0.0.1:9464", format!("127.0.0.1:{telemetry}")),
            ("2026-H1", last_half_year()),
            // Nobody waits for a balancer here.
            ("stop_delay_seconds = 15", "stop_delay_seconds = 0".to_owned()),
        ];
        let replaced = replaced.map(|(from, to)| (from.to_owned(), to)).into();
        Self { root: root.to_owned(), shell, input, output, replaced, service: None }
    }

    fn replace(&mut self, word: &str, with: impl Into<String>) {
        self.replaced.push((word.to_owned(), with.into()));
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Runs a command of the page, which must succeed, and returns what it printed.
    fn run(&mut self, command: &str) -> String {
        let command = self.replaced.iter().fold(command.to_owned(), |text, (from, to)| text.replace(from, to));
        if let Some(verb) = command.strip_prefix("systemctl ") {
            self.systemctl(verb);
            return String::new();
        }
        // Redirected as a group: in a subshell an `export` would be lost.
        write!(self.input, "{{ {command}\n}} </dev/null 2>&1\necho; echo \"@@ $?\"\n").unwrap();
        let mut printed = String::new();
        loop {
            let mut line = String::new();
            assert!(self.output.read_line(&mut line).unwrap() > 0, "the shell ended: $ {command}\n{printed}");
            if let Some(code) = line.strip_prefix("@@ ") {
                return match code.trim() {
                    "0" => printed,
                    code => panic!("exit code {code}: $ {command}\n{printed}"),
                };
            }
            printed.push_str(&line);
        }
    }

    /// What systemd does by `deploy/medcredit.service`.
    fn systemctl(&mut self, verb: &str) {
        match verb {
            "daemon-reload" => assert!(self.path("etc/systemd/system/medcredit.service").exists()),
            "enable --now medcredit" | "start medcredit" => {
                let config = self.path("etc/medcredit/gateway.toml");
                let mut service = Gateway::start(config.to_str().unwrap());
                // As `Type=notify`, it returns when every listener serves; from there on a thread reads the log.
                service.serving();
                self.service = Some(service);
            }
            "reload medcredit" => self.service.as_ref().unwrap().signal("-HUP"),
            "stop medcredit" => {
                let service = self.service.take().unwrap();
                service.signal("-TERM");
                let (code, log) = service.end();
                assert_eq!(code, Some(0), "{log}");
                assert!(log.contains(r#""message":"stopped""#), "{log}");
            }
            other => panic!("systemctl {other}"),
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}

/// Two ports that nobody has. Another test may take one before it is used, which fails this test and no other.
fn free_ports() -> [u16; 2] {
    let held = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    held.map(|socket| socket.local_addr().unwrap().port())
}

/// The half-year before the present one: what is graded now.
fn last_half_year() -> String {
    HalfYear::of(SystemClock.now().day().month()).plus(-1).to_string()
}

/// The bureau's files, and the code and legal entity of an institution in them.
fn city(host: &mut Host) -> (String, String) {
    let out = host.path("work/incoming");
    host.run(&format!("medcredit generate --out {} --scale 0.005 --staff 0.0002 --months 3", out.display()));
    let subjects = fs::read_to_string(out.join("subjects.csv")).unwrap();
    let row = subjects.lines().find(|line| line.starts_with("medical_institution,")).unwrap();
    let cells: Vec<&str> = row.split(',').collect();
    (cells[1].to_owned(), cells[2].to_owned())
}

/// The first word of a text that begins so.
fn word<'a>(text: &'a str, start: &str) -> &'a str {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words.into_iter().find(|word| word.starts_with(start)).unwrap_or_else(|| panic!("{start} in {text}"))
}

#[test]
fn the_commands_lead_from_nothing_to_an_answer_on_sqlite() {
    let directory = tempfile::tempdir().unwrap();
    let mut host = Host::new(directory.path(), &[]);
    // The defaults of telemetry, as the page leaves them.
    let telemetry = host.replaced.iter().find(|(from, _)| from == "127.0.0.1:9464").unwrap().1.clone();
    host.replace("[ledger]\n", format!("[telemetry]\nlisten = \"{telemetry}\"\n[ledger]\n"));
    let all = commands(section(&page(), 1));
    assert!(all.len() > 30, "{all:#?}");
    let mut printed = String::new();
    for command in &all {
        if command.starts_with("medcredit import subjects") {
            let (code, uscc) = city(&mut host);
            host.replace("USCC", uscc);
            host.replace("CODE", code);
            fs::write(host.path("work/signed-text.pdf"), "the signed text").unwrap();
        }
        let said = host.run(command);
        if command.starts_with("medcredit score run") {
            let run = word(&said, "run_").to_owned();
            host.replace("RUN", run);
        }
        if command.starts_with("medcredit bank consent request") {
            let consent = word(&said, "con_").to_owned();
            host.replace("CONSENT", consent);
        }
        printed.push_str(&format!("$ {command}\n{said}"));
    }
    assert!(printed.contains(r#"{"ready":true,"checks":{""#), "{printed}");
    assert!(printed.contains("saved with its proof: ") && printed.contains("is in force"), "{printed}");
    assert!(!printed.contains("PROBLEM"), "{printed}");
    assert!(host.service.is_some(), "it ends with a gateway that runs");
}

#[test]
fn the_commands_start_two_gateways_on_postgresql() {
    let cluster = Cluster::start();
    let (directory, socket) = (tempfile::tempdir().unwrap(), cluster.directory().to_str().unwrap().to_owned());
    let environment = [("PGHOST", &*socket), ("PGUSER", "medcredit"), ("PGDATABASE", "postgres")];
    let [first, second] = ["a", "b"].map(|name| {
        let mut host = Host::new(&directory.path().join(name), &environment);
        let url = format!("@localhost/medcredit?host={}", socket.replace('/', "%2F"));
        // Written with the directory that stands for /etc/medcredit by then.
        let ca = format!("{}/etc/medcredit/db-ca.pem", host.root.display());
        host.replace(&format!("@db.example.gov.cn/medcredit?sslmode=verify-full&sslrootcert={ca}"), url);
        host
    });
    let page = page();
    let preparation: Vec<String> = commands(section(&page, 1)).into_iter().take(6).collect();
    let all = commands(section(&page, 2));
    let border = all.iter().position(|command| command.starts_with("scp ")).expect("the second host") - 1;
    let (mut first, mut second) = (first, second);
    preparation.iter().for_each(|command| drop(first.run(command)));
    let mut printed: String = all[..border].iter().map(|command| first.run(command)).collect();
    preparation.iter().for_each(|command| drop(second.run(command)));
    let of_first = format!("{}/a", directory.path().display());
    let of_second = format!("{}/b", directory.path().display());
    wait_for(&Path::new(&of_first).join("var/lib/medcredit-checkpoint/checkpoint"));
    for command in &all[border..] {
        let is_copy = command.starts_with("scp ");
        let line = if is_copy { beside(command, &of_first, &of_second) } else { command.clone() };
        printed.push_str(&second.run(&line));
        if is_copy && command.contains("gateway.toml") {
            own_configuration(&first, &second);
        }
    }
    assert_eq!(printed.matches(r#"{"ready":true,"checks":{""#).count(), 2, "{printed}");
    assert!(!printed.contains("PROBLEM"), "{printed}");
    for host in [&mut first, &mut second] {
        host.run("medcredit ledger verify");
        host.run("systemctl stop medcredit");
    }
}

/// A copy from the first host, with the paths of both. The quotes keep them from being replaced a second time.
fn beside(command: &str, of_first: &str, of_second: &str) -> String {
    let places = |part: &str| match part.strip_prefix("credit-a:") {
        Some(path) => format!("{of_first}{path}"),
        None if part.starts_with('/') => format!("{of_second}{part}"),
        None => part.to_owned(),
    };
    let parts: Vec<_> = command.split(' ').map(places).collect();
    parts.join(" ").replace("/medcredit", "/m''edcredit")
}

/// Gives the copied configuration the ports and directories that stand for the second host.
fn own_configuration(first: &Host, second: &Host) {
    let file = second.path("etc/medcredit/gateway.toml");
    let mut text = fs::read_to_string(&file).unwrap();
    text = text.replace(first.root.to_str().unwrap(), second.root.to_str().unwrap());
    for from in ["0.0.0.0:8443", "127.0.0.1:9464"] {
        let of = |host: &Host| host.replaced.iter().find(|(known, _)| known == from).unwrap().1.clone();
        text = text.replace(&format!("listen = \"{}\"", of(first)), &format!("listen = \"{}\"", of(second)));
    }
    fs::write(file, text).unwrap();
}

/// Waits until a file exists.
#[expect(clippy::disallowed_methods, reason = "a limit for what another process does in real time")]
fn wait_for(file: &Path) {
    let began = Instant::now();
    while !file.exists() {
        assert!(began.elapsed() < Duration::from_secs(30), "{} was not written", file.display());
        std::thread::yield_now();
    }
}

/// The page's own commands are found, whatever stands between them.
#[test]
fn commands_are_joined_over_a_here_document() {
    let text =
        "Text.\n\n    umask 077\n    cat > x <<'END'\n    [a]\n    b = 1\n    END\n\nMore.\n\n    medcredit migrate\n";
    assert_eq!(commands(text), ["umask 077", "cat > x <<'END'\n[a]\nb = 1\nEND", "medcredit migrate"]);
}
