//! The TLS configuration, pinned in one place: versions, suites, groups, no resumption.
//!
//! The tests also pin defaults of the library, so that an upgrade that changes one of them fails.

use std::sync::Arc;

use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, UnixTime},
    server::{NoServerSessionStorage, danger::ClientCertVerifier},
    sign::{CertifiedKey, SingleCertAndKey},
    time_provider::TimeProvider,
};

use super::{handshake::HandshakeVerifier, provider::unix_time, trust::PartnerTrust};
use crate::domain::clock::SharedClock;

pub use super::provider::provider;

/// The application protocols of a listener, the preferred first. There is no detection by content: a client that offers
/// none gets HTTP/1.1.
pub const ALPN: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// The injected clock as the library's time source.
#[derive(Debug)]
struct ClockTime(SharedClock);

impl TimeProvider for ClockTime {
    fn current_time(&self) -> Option<UnixTime> {
        let now = self.0.now();
        // Without a plausible time the library refuses the handshake.
        (now.seconds() >= 0).then(|| unix_time(now))
    }
}

/// The configuration of the partner listener: a client certificate is required, and every connection does a full
/// handshake.
///
/// Resumption would skip the verification of the client's certificate (the library takes it from the stored session).
/// So there are neither stored sessions nor tickets, and an offered pre-shared key leads to a full handshake (T4).
pub fn server_config(
    trust: Arc<PartnerTrust>,
    certified: Arc<CertifiedKey>,
    clock: SharedClock,
) -> Result<ServerConfig, rustls::Error> {
    let config = ServerConfig::builder_with_details(provider(), Arc::new(ClockTime(clock)))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(Arc::new(HandshakeVerifier(trust)))
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
    Ok(pinned(config))
}

/// The configuration of a public listener. It requests no client certificate, so that browsers show no certificate
/// dialog.
pub fn public_server_config(certified: Arc<CertifiedKey>, clock: SharedClock) -> Result<ServerConfig, rustls::Error> {
    let config = ServerConfig::builder_with_details(provider(), Arc::new(ClockTime(clock)))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
    Ok(pinned(config))
}

/// The configuration of a platform of the demonstration, whose clients have certificates that a verifier accepts.
pub fn receiver_config(
    clients: Arc<dyn ClientCertVerifier>,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    clock: SharedClock,
) -> Result<ServerConfig, rustls::Error> {
    let config = ServerConfig::builder_with_details(provider(), Arc::new(ClockTime(clock)))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(clients)
        .with_single_cert(chain, key)?;
    Ok(pinned(config))
}

/// Applies the settings that all listeners share.
fn pinned(mut config: ServerConfig) -> ServerConfig {
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    // Early data can be replayed by anybody who recorded it (RFC 8446 section 8).
    config.max_early_data_size = 0;
    // Our order puts the strongest suite first.
    config.ignore_client_order = true;
    config.alpn_protocols = ALPN.iter().map(|name| name.to_vec()).collect();
    config
}

/// A client's certificate chain, leaf first, and its private key.
#[derive(Debug)]
pub struct ClientCertificate {
    /// The certificates, leaf first.
    pub chain: Vec<CertificateDer<'static>>,
    /// The private key of the leaf.
    pub key: PrivateKeyDer<'static>,
}

/// The configuration of a client: the roots that it trusts, and a bank's certificate chain with its key.
pub fn client_config(
    roots: RootCertStore,
    identity: Option<ClientCertificate>,
    clock: SharedClock,
) -> Result<ClientConfig, rustls::Error> {
    let builder = ClientConfig::builder_with_details(provider(), Arc::new(ClockTime(clock)))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(roots);
    // A public listener requests no certificate, and a client of it needs none.
    match identity {
        Some(ClientCertificate { chain, key }) => builder.with_client_auth_cert(chain, key),
        None => Ok(builder.with_no_client_auth()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use rustls::{NamedGroup, ProtocolVersion, crypto::aws_lc_rs::default_provider};

    use super::*;
    use crate::domain::{ManualClock, Timestamp};

    fn certified() -> Arc<CertifiedKey> {
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = rcgen::CertificateParams::new(vec!["localhost".into()]).unwrap().self_signed(&key).unwrap();
        let private = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        Arc::new(CertifiedKey::from_der(vec![certificate.der().clone()], private, &provider()).unwrap())
    }

    fn config() -> ServerConfig {
        let trust = PartnerTrust::new(1, Vec::new(), HashSet::new()).unwrap();
        server_config(Arc::new(trust), certified(), clock()).unwrap()
    }

    fn clock() -> Arc<ManualClock> {
        ManualClock::new(Timestamp::from_seconds(1_700_000_000))
    }

    #[test]
    fn only_tls_13_suites_are_offered() {
        for suite in &provider().cipher_suites {
            assert_eq!(suite.version().version, ProtocolVersion::TLSv1_3);
        }
    }

    #[test]
    fn the_hybrid_key_exchange_is_preferred() {
        let groups: Vec<NamedGroup> = provider().kx_groups.iter().map(|group| group.name()).collect();
        assert_eq!(
            groups,
            [NamedGroup::X25519MLKEM768, NamedGroup::X25519, NamedGroup::secp256r1, NamedGroup::secp384r1]
        );
        // The library's default is the same: a change of it needs a review.
        let theirs: Vec<NamedGroup> = default_provider().kx_groups.iter().map(|group| group.name()).collect();
        assert_eq!(theirs, groups);
    }

    #[test]
    fn sessions_are_never_resumed() {
        for config in [config(), public_server_config(certified(), clock()).unwrap()] {
            assert_eq!(config.send_tls13_tickets, 0);
            assert!(!config.session_storage.can_cache());
            assert!(!config.session_storage.put(vec![1], vec![2]));
            assert!(!config.ticketer.enabled());
            assert_eq!(config.max_early_data_size, 0);
            assert!(!config.enable_secret_extraction);
            assert!(!config.send_half_rtt_data);
            assert!(!config.key_log.will_log("CLIENT_RANDOM"));
        }
    }

    #[test]
    fn the_time_comes_from_the_injected_clock() {
        assert_eq!(config().time_provider.current_time().unwrap().as_secs(), 1_700_000_000);
    }

    #[test]
    fn the_library_accepts_no_sha1_signatures() {
        let algorithms = default_provider().signature_verification_algorithms;
        for scheme in algorithms.supported_schemes() {
            assert!(!format!("{scheme:?}").contains("SHA1"), "{scheme:?}");
        }
    }
}
