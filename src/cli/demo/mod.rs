//! `medcredit demo`: a whole gateway in an empty directory, and a bank's day on it.
//!
//! Every step makes what is missing or no longer valid, so that the same command makes a demonstration and renews one.
//! Nothing is simulated: the files are imported, the city is graded, and the bank calls over mutual TLS.

mod banks;
mod city;
mod consents;
mod directory;
mod next_steps;
mod operators;
mod platforms;
mod rounds;
mod summary;
mod walkthrough;

use std::{io::Write, path::PathBuf, sync::Arc};

use anyhow::Context as _;
use tokio::net::TcpListener;

use super::{Context, migrate, serve, signals::Signals};
use crate::{
    app::App,
    authority::{self, Custody, keys},
    domain::{Actor, Channel},
    importing::Importer,
    store::Db,
};
use banks::DemoBank;
use city::DemoSubject;
use consents::DemoConsents;
use directory::DemoDirectory;
use operators::DemoOperator;
use platforms::DemoPlatforms;

/// Set up a demonstration in a directory, walk through a bank's day, and keep the gateway running.
#[derive(Debug, clap::Args)]
pub(super) struct Demo {
    /// The directory to use: empty, or a demonstration that was made before
    #[arg(long, value_name = "DIR", default_value = "demo")]
    dir: PathBuf,
    /// Make a city of a tenth of the size, in a few seconds
    #[arg(long, conflicts_with = "scale")]
    small: bool,
    /// Stop after the walk-through
    #[arg(long)]
    once: bool,
    /// The port of the partner listener; telemetry, the portal, three platforms and the console use the next six
    #[arg(long, value_name = "PORT", default_value_t = 8443)]
    port_base: u16,
    /// The size of the city, as a share of one like Wenzhou
    #[arg(long, value_name = "SHARE", default_value = "1", hide = true)]
    scale: String,
}

/// A demonstration that is set up.
#[derive(Debug)]
struct Demonstration {
    directory: DemoDirectory,
    app: Arc<App>,
    banks: [DemoBank; 2],
    consents: DemoConsents,
    operators: Vec<DemoOperator>,
    city: Vec<DemoSubject>,
    platforms: DemoPlatforms,
    importer: Importer,
}

pub(super) async fn run(args: Demo, ctx: &Context) -> anyhow::Result<()> {
    let directory = DemoDirectory::open(&args.dir, args.port_base, &*ctx.entropy)?;
    announce(&args, &directory, ctx)?;
    let config = directory.config()?;
    // Held to the end: dropping it writes the buffered lines.
    let _log = serve::start_log(&config, ctx);
    // Before anything is made, so that a port in use is reported immediately.
    let partner = bind(config.partner.listen, "--port-base").await?;
    let telemetry = bind(config.telemetry.listen, "--port-base").await?;
    let portal = Some(bind(config.portal.listen, "--port-base").await?);
    let console = Some(bind(config.console.listen, "--port-base").await?);
    let sockets = serve::Sockets { partner, telemetry, portal, console };
    // Boxed: it holds a whole gateway while it opens one.
    let demo = Box::pin(set_up(&args, directory, ctx)).await?;
    // Before the gateway delivers to it.
    let receiver = demo.platforms.open(&demo, ctx).await?;
    let running = serve::Serving::start(demo.app.clone(), sockets)?;
    summary::write(&demo).await?;
    let (mut out, config) = (ctx.out(), &demo.app.config);
    writeln!(out, "  listening    {} for banks", config.gateway.public_origin)?;
    writeln!(out, "  portal       {} for everybody: checkpoint, tiles and keys", config.portal.public_origin)?;
    let names: Vec<_> = demo.operators.iter().map(|operator| &*operator.name).collect();
    let (console, names) = (&config.console.public_origin, names.join(", "));
    writeln!(
        out,
        "  console      {console} for administrators: {names} (passwords and authenticator secrets in demo.json)\n"
    )?;

    walkthrough::run(&demo, ctx).await?;
    platforms::walk_through(&demo, &receiver, ctx).await?;
    summary::write(&demo).await?;
    if args.once {
        next_steps::after_once(&demo, &args, ctx)?;
    } else {
        next_steps::while_running(&demo, ctx)?;
        Signals::new()?.stop().await;
        writeln!(out, "\nStopping.")?;
    }
    // Before the database is closed: the last seal needs it.
    running.stop().await;
    demo.app.env.db.close().await;
    Ok(())
}

/// Says what happens now and how long it takes.
fn announce(args: &Demo, directory: &DemoDirectory, ctx: &Context) -> anyhow::Result<()> {
    let mut out = ctx.out();
    let place = directory.path.display();
    if directory.is_new {
        let time = match (args.small, cfg!(debug_assertions)) {
            (true, false) => "a few seconds",
            (false, false) | (true, true) => "about 15 seconds",
            (false, true) => "about two minutes in this debug build",
        };
        writeln!(
            out,
            "Setting up a demonstration of the Medcredit Gateway in {place}: a synthetic city, its grades, two"
        )?;
        writeln!(out, "banks and a running gateway. This takes {time}. All data is synthetic.\n")?;
    } else {
        writeln!(out, "Renewing the demonstration of the Medcredit Gateway in {place}. All data is synthetic.\n")?;
    }
    Ok(())
}

/// Makes keys, certificates, banks, the city with its grades, and consents.
async fn set_up(args: &Demo, directory: DemoDirectory, ctx: &Context) -> anyhow::Result<Demonstration> {
    let mut out = ctx.out();
    let config = directory.config()?;
    let db = Db::open_sqlite(&config.store.directory).await?;
    migrate::migrate(&ctx.env(&db), demo_operator).await?;
    let crypter = Arc::new(authority::crypter(&config.secrets)?);
    let custody = Custody::new(ctx.env(&db), crypter.clone(), &config.authority).acting_for(demo_operator()?);
    keys::create_missing(&custody).await?;
    let authority = banks::ensure_authority(&directory, &custody).await?;
    banks::ensure_server_certificate(&directory, &config, &custody).await?;
    let banks = banks::ensure_banks(&directory, &config, &custody, authority).await?;
    writeln!(out, "  keys         a development authority, a server certificate, and two banks with certificates")?;
    let scale = if args.small { "0.1" } else { &args.scale };
    // Beside the city, which keeps another thread busy.
    let (platforms, city) = tokio::join!(
        DemoPlatforms::start(&directory, args.port_base, crypter.clone(), ctx),
        city::ensure_city(&directory, &config, ctx, &db, crypter.clone(), scale)
    );
    let (platforms, city) = (platforms?, city?);
    directory.add_settings(&platforms.settings())?;
    let config = directory.config()?;
    let importer = city::importer(&config, ctx, &db, crypter)?;
    let app = App::open(config, ctx.env(&db)).await.context("the gateway")?;
    app.require_known_history()?;
    let consents = consents::ensure_consents(&app, ctx, &banks, &city).await?;
    writeln!(out, "  consents     one each that is active, pending, expired and revoked, of {}", banks[0].name)?;
    let operators = operators::ensure_operators(&directory, &app).await?;
    Ok(Demonstration { directory, app, banks, consents, operators, city, platforms, importer })
}

/// The operator whom the ledger records for everything the demonstration sets up.
fn demo_operator() -> anyhow::Result<Actor> {
    Ok(Actor::operator("demo", Channel::CommandLine)?)
}

async fn bind(address: std::net::SocketAddr, option: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}; choose another port with {option}"))
}
