//! `medcredit demo`: a whole gateway in an empty directory, and a bank's day on it.
//!
//! Every step makes what is not there or not good any more, so that the same command makes a demonstration and renews one.
//! Nothing in it is a short cut: the files are imported, the city is graded, the bank talks over real mTLS.

mod banks;
mod book;
mod city;
mod consents;
mod day;
mod place;
mod rounds;

use crate::domain::{Actor, Channel};
use std::{io::Write, path::PathBuf, sync::Arc};

use anyhow::Context as _;
use tokio::net::TcpListener;

use super::{Context, serve};
use crate::{
    app::App,
    authority::{self, Custody, keys},
    store::{Db, migrations},
};
use place::Place;

/// Make a demonstration in a directory, walk through a bank's day, and stay up.
#[derive(Debug, clap::Args)]
pub(super) struct Demo {
    /// Where everything is made
    #[arg(long, value_name = "DIR", default_value = "demo")]
    dir: PathBuf,
    /// End after the walk-through
    #[arg(long)]
    once: bool,
    /// The partner listener's port; telemetry and the portal have the next two
    #[arg(long, value_name = "PORT", default_value_t = 8443)]
    port_base: u16,
    /// Size of the city, as a share of one like Wenzhou
    #[arg(long, value_name = "SHARE", default_value = "1", hide = true)]
    scale: String,
}

/// Runs the command.
pub(super) async fn run(args: Demo, ctx: &Context) -> anyhow::Result<()> {
    let place = Place::open(&args.dir, args.port_base, &*ctx.entropy)?;
    let mut out = ctx.out();
    writeln!(
        out,
        "A demonstration of the Medcredit Gateway in {}. All data is synthetic.\n",
        place.directory.display()
    )?;
    let config = place.config()?;
    let _log = serve::start_log(&config, ctx);
    let socket = bind(config.partner.listen, "--port-base").await?;
    let telemetry = bind(config.telemetry.listen, "--port-base").await?;
    let portal = bind(config.portal.listen, "--port-base").await?;
    let db = Db::open_sqlite(&config.store.directory).await?;
    migrations::migrate(&db, &*ctx.clock).await?;
    let crypter = Arc::new(authority::crypter(&config.secrets)?);
    let custody = Custody::new(ctx.env(&db), crypter.clone(), &config.authority);
    keys::create_missing(&custody).await?;
    let authority = banks::ensure_authority(&place, &custody).await?;
    banks::ensure_server_certificate(&place, &config, &custody).await?;
    let banks = banks::ensure_banks(&place, &config, &custody, authority).await?;
    writeln!(
        out,
        "  keys         a development authority, a server certificate, two banks with certificates of their own"
    )?;
    let city = city::ensure_city(&place, &config, ctx, &db, crypter, &args.scale).await?;
    let app = App::open(config, ctx.env(&db)).await.context("the gateway")?;
    let consents = consents::ensure_consents(&app, ctx, &banks, &city).await?;
    writeln!(out, "  consents     one each that is active, pending, expired and revoked, of {}", banks[0].name)?;
    let running = serve::Serving::start(app.clone(), socket, telemetry, Some(portal))?;
    book::write(&place, &app, &banks, &consents, &city)?;
    writeln!(out, "  listening    {} for banks", app.config.gateway.public_origin)?;
    writeln!(out, "  portal       {} for everybody: checkpoint, tiles and keys\n", app.config.portal.public_origin)?;

    day::walk(ctx, &app, &banks, &city).await?;
    if args.once {
        writeln!(out, "\nThe walk-through is done.")?;
    } else {
        day::invite(ctx, &place, &app, &banks, &consents)?;
        serve::told_to_stop().await?;
        writeln!(out, "\nStopping.")?;
    }
    running.stop().await;
    db.close().await;
    Ok(())
}

/// The operator of everything the demonstration sets up.
fn demo_operator() -> anyhow::Result<Actor> {
    Ok(Actor::operator("demo", Channel::CommandLine)?)
}

async fn bind(address: std::net::SocketAddr, option: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("{address} cannot be listened on; choose another port with {option}"))
}
