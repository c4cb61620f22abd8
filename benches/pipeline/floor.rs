//! The floors: the gateway's own TLS, and axum behind it answering immediately, without or with one signature an answer.

use std::{io::Write, path::Path, sync::Arc};

use anyhow::Result;
use axum::{Router, extract::State, response::IntoResponse, routing::get};
use bytes::Bytes;
use data_encoding::BASE64;
use http::{HeaderName, HeaderValue};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use medcredit::{
    authority::{self, Custody, Reloader, server::ServerFiles},
    config::Config,
    domain::{SystemClock, SystemEntropy},
    http::listener::settings::Settings,
    identity::{KeyPair, Signer, Suite},
};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// About as long as the input of an answer's signature.
const MESSAGE: [u8; 700] = [b'm'; 700];
/// The length of the header of a floor's answer.
const HEAD: usize = 100;
/// The length of the signature's header line.
const SIGNATURE: usize = 101;

struct Floor {
    body: Bytes,
    signer: Option<KeyPair>,
}

async fn answer(State(floor): State<Arc<Floor>>) -> impl IntoResponse {
    let mut response = floor.body.clone().into_response();
    let headers = response.headers_mut();
    headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    // The key is parsed once. A failed signature would show as a missing header, and does not occur.
    if let Some(signature) = floor.signer.as_ref().and_then(|signer| signer.sign(&MESSAGE).ok())
        && let Ok(value) = HeaderValue::try_from(BASE64.encode(&signature))
    {
        headers.insert(HeaderName::from_static("signature"), value);
    }
    response
}

/// Serves a floor whose answers are as long as the gateway's, including headers.
pub(super) async fn serve(config: &str, bytes: usize, signed: bool) -> Result<()> {
    let config = Config::load(Path::new(config))?;
    let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy));
    let db = super::site::open(&config).await?;
    let crypter = Arc::new(authority::crypter(&config.secrets)?);
    let custody = Custody::new(medcredit::store::Env::new(db, clock, entropy), crypter, &config.authority);
    let files =
        ServerFiles { certificate: config.partner.certificate_file.clone(), key: config.partner.key_file.clone() };
    let tls = Reloader::start(custody, files).await?.live().material().server.clone();
    let signer = signed.then(|| KeyPair::from_pkcs8(Suite::Es256, &KeyPair::generate(Suite::Es256)?)).transpose()?;
    let length = bytes.saturating_sub(HEAD + if signed { SIGNATURE } else { 0 });
    let floor = Arc::new(Floor { body: vec![b'x'; length].into(), signer });
    let router = Router::new().route("/v1/consents/{id}/{what}", get(answer)).with_state(floor);
    let settings = Settings::from(&config.partner);
    let socket = TcpListener::bind("127.0.0.1:0").await?;
    let address = socket.local_addr()?;
    writeln!(std::io::stderr(), r#"{{"message":"listening","listener":"partner","address":"{address}"}}"#)?;
    loop {
        let (stream, _) = socket.accept().await?;
        let (tls, router, settings) = (tls.clone(), router.clone(), settings.clone());
        tokio::spawn(async move {
            stream.set_nodelay(true)?;
            let stream = TlsAcceptor::from(tls).accept(stream).await?;
            let mut http = hyper::server::conn::http1::Builder::new();
            http.timer(TokioTimer::new()).header_read_timeout(settings.idle_timeout + settings.header_timeout);
            http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router)).await?;
            anyhow::Ok(())
        });
    }
}
