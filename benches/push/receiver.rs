//! A platform that takes pages over HTTPS, and does nothing with them: mutual TLS with an authority of its own.

use std::{net::Ipv4Addr, path::Path, sync::Arc};

use anyhow::Result;
use axum::{Router, body::Bytes, extract::DefaultBodyLimit, routing::post, serve::Listener};
use medcredit::{
    authority::files::{CERTIFICATE, PRIVATE_KEY, read_item, read_items, to_pem},
    domain::SystemClock,
    identity::tls,
};
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use rustls::{RootCertStore, pki_types::PrivatePkcs8KeyDer, server::WebPkiClientVerifier};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

/// Makes the authority, the certificate of the platform, and ours there.
pub(crate) fn make_pki(folder: &Path) -> Result<()> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(Vec::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = params.self_signed(&key)?;
    std::fs::write(folder.join("ca.pem"), to_pem(CERTIFICATE, authority.der()))?;
    let issuer = Issuer::new(params, key);
    for (name, usage) in
        [("server", ExtendedKeyUsagePurpose::ServerAuth), ("ours", ExtendedKeyUsagePurpose::ClientAuth)]
    {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(vec!["localhost".to_owned()])?;
        params.extended_key_usages.push(usage);
        let certificate = params.signed_by(&key, &issuer)?;
        std::fs::write(folder.join(format!("{name}.pem")), to_pem(CERTIFICATE, certificate.der()))?;
        std::fs::write(folder.join(format!("{name}.key")), to_pem(PRIVATE_KEY, key.serialized_der()))?;
    }
    Ok(())
}

struct Secured {
    socket: TcpListener,
    acceptor: TlsAcceptor,
}

impl Listener for Secured {
    type Io = TlsStream<TcpStream>;
    type Addr = std::net::SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
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

/// Serves on a free port.
pub(crate) async fn serve(folder: &Path) -> Result<u16> {
    let mut roots = RootCertStore::empty();
    for authority in read_items(CERTIFICATE, &folder.join("ca.pem"))? {
        roots.add(authority.to_vec().into())?;
    }
    let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), tls::provider()).build()?;
    let chain = read_items(CERTIFICATE, &folder.join("server.pem"))?;
    let chain = chain.into_iter().map(|item| item.to_vec().into()).collect();
    let key = PrivatePkcs8KeyDer::from(read_item(PRIVATE_KEY, &folder.join("server.key"))?.to_vec());
    let mut config = tls::receiver_config(clients, chain, key.into(), Arc::new(SystemClock))?;
    // As most receivers are: a connection for each request under way.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let port = socket.local_addr()?.port();
    let take = async |body: Bytes| {
        std::hint::black_box(body);
        r#"{"receipt_number":"1"}"#
    };
    let router =
        Router::new().route("/packages/{package}/pages/{page}", post(take)).layer(DefaultBodyLimit::max(64 << 20));
    let listener = Secured { socket, acceptor: TlsAcceptor::from(Arc::new(config)) };
    tokio::spawn(async move {
        // It ends with the program.
        let _ = axum::serve(listener, router).await;
    });
    Ok(port)
}
