//! The files of the four platforms: those that are compiled in, with the addresses of this machine.

use std::path::Path;

use anyhow::Context as _;

use crate::push::platform::SHIPPED;

/// The platforms of the demonstration.
pub(super) const MUNICIPAL: &str = "municipal-credit-service";
pub(super) const ENTERPRISE: &str = "enterprise-publicity";
pub(super) const CREDIT_CHINA: &str = "credit-china";
pub(super) const PROVINCIAL: &str = "provincial-credit-exchange";

fn shipped(id: &str) -> anyhow::Result<&'static str> {
    let found = SHIPPED.iter().find(|(other, _)| *other == id);
    Ok(found.with_context(|| format!("{id} is not compiled in"))?.1)
}

/// The text with another table of the carrier: from its first line to the next empty one.
fn with_carrier(text: &str, from: &str, carrier: &str) -> anyhow::Result<String> {
    let (before, rest) = text.split_once(from).with_context(|| format!("no {from}"))?;
    let (_, after) = rest.split_once("\n\n[grades]").context("no [grades]")?;
    Ok(format!("{before}{carrier}\n\n[grades]{after}"))
}

fn write(folder: &Path, id: &str, text: &str) -> anyhow::Result<()> {
    let path = folder.join(format!("{id}.toml"));
    let note = "# A platform of the demonstration, on this machine. docs/PLATFORMS.md explains every key.\n";
    std::fs::write(&path, format!("{note}{text}")).with_context(|| path.display().to_string())
}

/// The municipal platform: HTTPS on a port of this machine.
pub(super) fn municipal(folder: &Path, port: u16) -> anyhow::Result<()> {
    let carrier = format!(
        "[carrier.https]\nurl = \"https://localhost:{port}\"\ncertificate_file = \"{MUNICIPAL}/ours.pem\"\n\
         key_file = \"{MUNICIPAL}/ours.key\"\nauthority_file = \"{MUNICIPAL}/ca.pem\"\nallow = [\"127.0.0.0/8\", \"::1/128\"]\n\
         page_rows = 200"
    );
    write(folder, MUNICIPAL, &with_carrier(shipped(MUNICIPAL)?, "[carrier.https]", &carrier)?)
}

/// The publicity system of enterprises: a folder.
pub(super) fn enterprise(folder: &Path) -> anyhow::Result<()> {
    let carrier = format!("[carrier.file]\nformat = \"csv\"\nencoding = \"utf-8\"\ndirectory = \"{ENTERPRISE}\"");
    write(folder, ENTERPRISE, &with_carrier(shipped(ENTERPRISE)?, "[carrier.file]", &carrier)?)
}

/// 信用中国: a folder over SFTP, or a folder of this machine where there is no server.
pub(super) fn credit_china(folder: &Path, sftp: Option<(u16, &str)>, user: &str) -> anyhow::Result<()> {
    let mut carrier = "[carrier.file]\nformat = \"csv\"\nencoding = \"gb18030\"\n".to_owned();
    let place = match sftp {
        Some((port, host_key)) => format!(
            "\n[carrier.file.sftp]\nhost = \"127.0.0.1\"\nport = {port}\nuser = \"{user}\"\n\
             key_file = \"{CREDIT_CHINA}/our_key\"\nhost_key = \"{host_key}\"\ndirectory = \"{}\"",
            folder.join(CREDIT_CHINA).join("upload").display()
        ),
        None => format!("directory = \"{CREDIT_CHINA}/upload\""),
    };
    carrier.push_str(&place);
    write(folder, CREDIT_CHINA, &with_carrier(shipped(CREDIT_CHINA)?, "[carrier.file]", &carrier)?)
}

/// The provincial platform: an exchange database.
pub(super) fn provincial(folder: &Path, port: u16) -> anyhow::Result<()> {
    let url = folder.join(PROVINCIAL).join("url");
    std::fs::write(&url, format!("postgres://bureau:synthetic@127.0.0.1:{port}/postgres?sslmode=disable\n"))?;
    let text =
        shipped(PROVINCIAL)?.replace("\"../secrets/provincial-credit-exchange-url\"", &format!("\"{PROVINCIAL}/url\""));
    write(folder, PROVINCIAL, &text)
}

/// The platform's tables, and our user there, who may insert and read.
pub(super) const TABLES: &str = "
CREATE ROLE bureau LOGIN PASSWORD 'synthetic';
CREATE SCHEMA front;
CREATE TABLE front.t_ylbz_xypj (record_unique_identity text, opt_type text, exchange_flag int, cd_time timestamp,
    source_dept_code text, env_flag int, pjpc text, pjjg text, pjjg_tyshxydm text, pjmc text, pjnd text, ztlb text, ztmc text,
    tyshxydm text, ztbm text, dqmc text, xzqh text, pjdj text, pjfz text, pdrq text, yxqs text, yxqz text, fbsj text, jlzt text,
    bz text);
CREATE TABLE front.t_ylbz_xyyy (record_unique_identity text, opt_type text, exchange_flag int, cd_time timestamp,
    source_dept_code text, env_flag int, tjq text, ztlb text, sqs text, chs text, tjrq text);
CREATE TABLE front.t_exchange_control (table_name text, batch_no text, row_count int, data_digest text, cd_time timestamp);
CREATE INDEX ON front.t_ylbz_xypj (record_unique_identity);
CREATE INDEX ON front.t_ylbz_xyyy (record_unique_identity);
CREATE INDEX ON front.t_exchange_control (batch_no);
GRANT USAGE ON SCHEMA front TO bureau;
GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA front TO bureau;
";

/// What the platform does with new rows: it takes them.
pub(super) const TAKE: &str = "
UPDATE front.t_ylbz_xypj SET exchange_flag = 1 WHERE exchange_flag = 0;
UPDATE front.t_ylbz_xyyy SET exchange_flag = 1 WHERE exchange_flag = 0;
";
