//! Four platforms on this machine that receive the rounds: over HTTPS, as files in a folder, over SFTP, and in an exchange database.

mod database;
mod files;
mod folder;
mod https;
mod programs;
mod receiver;
mod sshd;

use std::{io::Write as _, path::PathBuf, sync::Arc, time::Duration};

use anyhow::Context as _;
use serde::Serialize;
use tokio::net::TcpListener;

use self::{database::ExchangeDatabase, receiver::Receiver, sshd::Sshd};
use super::{
    Demonstration,
    city::{DemoSubject, last_period},
    demo_operator,
    directory::DemoDirectory,
};
use crate::{
    app::App,
    cli::{Context, OrFail as _},
    grading::{Correction, Rounds},
    importing::{Options, Template},
    push::delivery::{PlatformState, holders},
    store::Crypter,
};

/// The scheme of the institutions' grades.
const SCHEME: &str = "wenzhou-951";
/// The places of the subjects of the walk-through among those in good standing; the bank's day has the first.
const RENAMED: usize = 1;
const CORRECTED: usize = 2;
/// How often a platform is looked at until it has answered everything.
const LOOKS: u32 = 600;

/// The platforms that this machine can run.
#[derive(Debug)]
pub(super) struct DemoPlatforms {
    folder: PathBuf,
    /// The ids, in the order of their delivery.
    ids: Vec<&'static str>,
    /// Held so that they run.
    _sshd: Option<Sshd>,
    database: Option<ExchangeDatabase>,
    https_port: u16,
    /// What is missing on this machine.
    missing: Vec<String>,
}

/// A platform in `demo.json`.
#[derive(Debug, Serialize)]
pub(super) struct PlatformSummary {
    name: String,
    id: String,
    carrier: &'static str,
    target: String,
    sent: i64,
    accepted: i64,
    rejected: i64,
    state: &'static str,
}

impl From<PlatformState> for PlatformSummary {
    fn from(state: PlatformState) -> Self {
        let PlatformState { platform, name, carrier, target, sent, accepted, rejected, state, .. } = state;
        Self { name, id: platform, carrier, target, sent, accepted, rejected, state }
    }
}

impl DemoPlatforms {
    /// Starts the platforms that this machine can run, and writes their files.
    pub(super) async fn start(
        directory: &DemoDirectory,
        port: u16,
        crypter: Arc<Crypter>,
        ctx: &Context,
    ) -> anyhow::Result<Self> {
        let folder = directory.file("platforms");
        for id in [files::MUNICIPAL, files::ENTERPRISE, files::PROVINCIAL] {
            std::fs::create_dir_all(folder.join(id))?;
        }
        std::fs::create_dir_all(folder.join(files::CREDIT_CHINA).join("upload"))?;
        let [https_port, ssh_port, database_port] =
            [3, 4, 5].map(|more| port.checked_add(more).context("--port-base is too high"));
        let (https_port, ssh_port, database_port) = (https_port?, ssh_port?, database_port?);
        https::ensure_pki(&folder.join(files::MUNICIPAL), crypter, ctx).await.context(files::MUNICIPAL)?;
        files::municipal(&folder, https_port)?;
        files::enterprise(&folder)?;
        let mut ids = vec![files::MUNICIPAL, files::ENTERPRISE, files::CREDIT_CHINA];
        let mut missing = Vec::new();
        // What this machine lacks is said, and the others are shown.
        let sshd = Sshd::start(&folder.join(files::CREDIT_CHINA), ssh_port).await;
        let sshd = sshd.map_err(|error| missing.push(format!("{error:#}: 信用中国 takes files from a folder"))).ok();
        let user = ctx.login.clone().unwrap_or_else(|| "root".to_owned());
        let reached = sshd.as_ref().map(|sshd| (ssh_port, sshd.host_key.as_str()));
        files::credit_china(&folder, reached, &user)?;
        let place = folder.join(files::PROVINCIAL);
        let database = ExchangeDatabase::start(&place, database_port, files::TABLES).await;
        let database =
            database.map_err(|error| missing.push(format!("{error:#}: no province has an exchange database"))).ok();
        if database.is_some() {
            files::provincial(&folder, database_port)?;
            ids.push(files::PROVINCIAL);
        }
        Ok(Self { folder, ids, _sshd: sshd, database, https_port, missing })
    }

    /// The lines of the configuration that name them.
    pub(super) fn settings(&self) -> String {
        format!(
            "\n[push]\nevaluator = \"示范市医疗保障局 (synthetic)\"\nevaluator_uscc = \"11330300MB1234A561\"\ndeliver_to = {:?}\n",
            self.ids
        )
    }

    /// The platforms do their part: they take the files and the rows that are there, and answer.
    async fn take(&self) -> anyhow::Result<()> {
        folder::answer(&self.folder.join(files::ENTERPRISE), encoding_rs::UTF_8)?;
        folder::answer(&self.folder.join(files::CREDIT_CHINA).join("upload"), encoding_rs::GB18030)?;
        if let Some(database) = &self.database {
            database.execute(files::TAKE).await?;
        }
        Ok(())
    }

    /// Makes what is due, delivers it, and lets the platforms answer, until every row is answered.
    async fn settle(&self, app: &App) -> anyhow::Result<()> {
        for _ in 0..LOOKS {
            app.make_packages().await;
            let mut waiting = 0;
            for id in &self.ids {
                app.deliveries.deliver(id, &|| false, &|_| {}).await.or_fail()?;
            }
            self.take().await?;
            for id in &self.ids {
                app.deliveries.read_answers(id, true).await.or_fail()?;
                waiting += app.deliveries.state(id).await?.waiting;
            }
            if waiting == 0 {
                return Ok(());
            }
            // Another task of this gateway may have a page under way.
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// The platforms for `demo.json`.
    pub(super) async fn summary(&self, app: &App) -> anyhow::Result<Vec<PlatformSummary>> {
        let mut all = Vec::new();
        for id in &self.ids {
            all.push(app.deliveries.state(id).await?.into());
        }
        Ok(all)
    }

    /// Opens the platform that takes pages over HTTPS. Its register does not have the name of one subject.
    pub(super) async fn open(&self, demo: &Demonstration, ctx: &Context) -> anyhow::Result<Arc<Receiver>> {
        let origin = format!("https://localhost:{}", self.https_port);
        let place = self.folder.join(files::MUNICIPAL);
        let receiver = Receiver::open(origin, demo.app.keys.clone(), place.join("received.json"))?;
        if let Some(subject) =
            demo.city.get(RENAMED).filter(|subject| receiver.version(&record(&subject.code, ctx)).is_none())
        {
            receiver.does_not_know(&subject.name);
        }
        let socket = TcpListener::bind(("127.0.0.1", self.https_port)).await;
        let socket =
            socket.with_context(|| format!("cannot listen on port {}; choose --port-base", self.https_port))?;
        https::serve(socket, &place, receiver.router(), ctx.clock.clone())?;
        Ok(receiver)
    }
}

/// The record of a subject in the last round.
fn record(code: &str, ctx: &Context) -> String {
    format!("{SCHEME}:{}:{code}", last_period(ctx))
}

/// Walks through: the round arrives, a rejected row is corrected, a correction arrives everywhere.
pub(super) async fn walk_through(demo: &Demonstration, receiver: &Receiver, ctx: &Context) -> anyhow::Result<()> {
    let Demonstration { app, city, platforms, .. } = demo;
    let mut out = ctx.out();
    let renamed = city.get(RENAMED).context("the city has too few institutions in good standing")?;
    let corrected = city.get(CORRECTED).context("the city has too few institutions in good standing")?;
    writeln!(out, "\nThe public credit platforms")?;
    for missing in &platforms.missing {
        writeln!(out, "     {missing}.")?;
    }
    let is_new = receiver.version(&record(&renamed.code, ctx)).is_none();
    platforms.settle(app).await?;
    for state in platforms.summary(app).await? {
        let PlatformSummary { name, carrier, sent, accepted, rejected, .. } = &state;
        writeln!(out, "     {name} ({carrier}): {sent} rows sent, {accepted} accepted, {rejected} rejected.")?;
    }
    let number = platforms.ids.len();
    writeln!(
        out,
        "  9. The rounds have reached {number} platforms, each in its own form, and are answered row by row."
    )?;
    if !is_new {
        writeln!(out, " 10. The demonstration was made before: only what has changed since was sent.")?;
        return receiver.save();
    }
    let rejected = app.deliveries.rejected(files::MUNICIPAL).await?;
    let first = rejected.first().context("the municipal platform rejects a row")?;
    rename(demo, renamed, ctx).await?;
    platforms.settle(app).await?;
    let version = receiver.version(&record(&renamed.code, ctx)).context("the corrected row is accepted")?;
    writeln!(
        out,
        " 10. One row was rejected ({}: the platform's register has another name). The name is corrected by an import, and\n     \
         the row is sent again: the platform has version {version}.",
        first.reason
    )?;
    correct(demo, corrected, ctx).await?;
    platforms.settle(app).await?;
    let held = holders(&app.env, &corrected.code).await.or_fail()?;
    let versions: Vec<String> = held
        .iter()
        .filter(|of| of.holds && of.version > 1)
        .map(|of| format!("{} has version {}", of.platform, of.version))
        .collect();
    writeln!(
        out,
        " 11. A published grade is corrected, and the correction arrives everywhere: {}.",
        versions.join(", ")
    )?;
    receiver.save()
}

/// Imports the file of a subject with its right name.
async fn rename(demo: &Demonstration, subject: &DemoSubject, ctx: &Context) -> anyhow::Result<()> {
    let city = demo.directory.file(&format!("city/{}/subjects.csv", last_period(ctx)));
    let text = std::fs::read_to_string(&city).with_context(|| city.display().to_string())?;
    let mut lines = text.lines();
    let header = lines.next().context("a header")?;
    let row = lines.find(|line| line.contains(&subject.code)).context("the subject's row")?;
    let right = row.replace(&subject.name, &format!("{}（新院区）", subject.name));
    let file = demo.directory.file("platforms/subjects-renamed.csv");
    std::fs::write(&file, format!("{header}\n{right}\n"))?;
    demo.importer.import(Template::Subjects, &file, &Options::default(), &mut |_| ()).await?;
    Ok(())
}

/// Imports a finding that came late, and corrects the grade that it changes.
async fn correct(demo: &Demonstration, subject: &DemoSubject, ctx: &Context) -> anyhow::Result<()> {
    let (file, on) = (demo.directory.file("platforms/records-late.csv"), last_period(ctx).last_month().last_day());
    let columns = "subject_code,measure,value,occurred_on,source,reference";
    let year = on.month().year();
    // One after which the grade is another one, so that platforms without points get the correction too.
    let row = format!("{},fraud_finding,1,{on},医保局,示范医保稽〔{year}〕1号", subject.code);
    std::fs::write(&file, format!("{columns}\n{row}\n"))?;
    demo.importer.import(Template::Records, &file, &Options::default(), &mut |_| ()).await?;
    let (actor, reason) = (demo_operator()?, "a finding was reported after the publication");
    let correction = Correction { subject: &subject.code, run: None, reason, actor: &actor };
    Rounds::new(demo.app.env.clone()).correct(correction).await?;
    Ok(())
}
