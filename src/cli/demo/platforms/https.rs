//! The authority and the listener of the platform that takes pages over HTTPS.

use std::{net::SocketAddr, path::Path, sync::Arc};

use anyhow::Context as _;
use axum::{Router, serve::Listener};
use rustls::{RootCertStore, server::WebPkiClientVerifier};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use crate::{
    authority::{Custody, ProfileName, ProfileValues, certificates, files, local_ca},
    cli::Context,
    config::Config,
    domain::clock::SharedClock,
    identity::tls,
    store::{Crypter, Db, migrations},
};

/// Makes the platform's authority with two certificates: its own, and ours there. The authority has a store of its own, and is made
/// once.
pub(super) async fn ensure_pki(folder: &Path, crypter: Arc<Crypter>, ctx: &Context) -> anyhow::Result<()> {
    if folder.join("ours.pem").exists() {
        return Ok(());
    }
    let db = Db::open_sqlite(&folder.join("authority")).await?;
    migrations::migrate(&db, &*ctx.clock).await?;
    let authority = Config::defaults(folder)?.authority;
    let custody = Custody::new(ctx.env(&db), crypter, &authority).acting_for(super::super::demo_operator()?);
    let made =
        local_ca::init(&custody, "platform", &values("Municipal credit platform authority (synthetic)", &[])).await?;
    files::write_public(&folder.join("ca.pem"), files::to_pem("CERTIFICATE", &made.certificate).as_bytes())?;
    for (name, profile, values) in [
        ("server", ProfileName::Server, values("localhost", &["localhost", "127.0.0.1"])),
        ("ours", ProfileName::BankClient, values("medical insurance bureau", &[])),
    ] {
        let request = certificates::Request { profile, values: &values, signing_request: None };
        let issued = certificates::issue(&custody, &request).await?;
        let key = issued.private_key.context("a new key")?;
        files::write_private(&folder.join(format!("{name}.key")), files::to_pem("PRIVATE KEY", &key).as_bytes())?;
        let certificate = files::to_pem("CERTIFICATE", &issued.certificate);
        files::write_public(&folder.join(format!("{name}.pem")), certificate.as_bytes())?;
    }
    db.close().await;
    Ok(())
}

fn values(name: &str, hosts: &[&str]) -> ProfileValues {
    let mut values = ProfileValues::default();
    values.subject.insert("name".into(), name.into());
    values.subject.insert("organization".into(), "Municipal credit platform (synthetic)".into());
    values.hosts = hosts.iter().map(|host| (*host).to_owned()).collect();
    values
}

/// A listener that finishes the handshakes of clients with a certificate of the platform's authority.
struct Secured {
    socket: TcpListener,
    acceptor: TlsAcceptor,
}

impl Listener for Secured {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            // What fails here is the client's concern: the next one is accepted.
            let Ok((stream, address)) = self.socket.accept().await else { continue };
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.socket.local_addr()
    }
}

/// Serves the platform until the program ends.
pub(super) fn serve(socket: TcpListener, folder: &Path, router: Router, clock: SharedClock) -> anyhow::Result<()> {
    let mut roots = RootCertStore::empty();
    for authority in files::read_items(files::CERTIFICATE, &folder.join("ca.pem"))? {
        roots.add(authority.to_vec().into())?;
    }
    let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), tls::provider()).build()?;
    let chain = files::read_items(files::CERTIFICATE, &folder.join("server.pem"))?;
    let chain = chain.into_iter().map(|item| item.to_vec().into()).collect();
    let key = files::read_item(files::PRIVATE_KEY, &folder.join("server.key"))?;
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(key.to_vec());
    let config = tls::receiver_config(clients, chain, key.into(), clock)?;
    let listener = Secured { socket, acceptor: TlsAcceptor::from(Arc::new(config)) };
    tokio::spawn(async move {
        // It ends only with the program.
        let _ = axum::serve(listener, router).await;
    });
    Ok(())
}
