//! Certification authorities, certificates and revocation lists for a test, and a handshake in memory.

use std::{collections::HashSet, sync::Arc, time::Duration};

use medcredit::{
    domain::{Clock, ManualClock, SystemClock, SystemEntropy, Timestamp, clock::SharedClock, ids::AuthorityId},
    identity::{Anchor, ClientIdentity, PartnerTrust, RevocationList, tls},
};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, RevocationReason, RevokedCertParams,
    SerialNumber,
};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConnection,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName},
    sign::CertifiedKey,
};

/// The default time of the tests' certificates: [`super::store::START`].
pub const NOW: Timestamp = Timestamp::from_seconds(1_775_005_200);
pub const DAY: Duration = Duration::from_hours(24);

/// An authority with its key.
#[derive(Debug)]
pub struct TestCa {
    /// The id under which it is trusted.
    pub id: AuthorityId,
    pub name: String,
    pub certificate: CertificateDer<'static>,
    /// The certificates between it and a root, itself first; empty for a root.
    pub intermediates: Vec<CertificateDer<'static>>,
    issuer: Issuer<'static, KeyPair>,
    serial: u64,
}

/// A certificate chain, leaf first, with the leaf's key.
#[derive(Debug, Clone)]
pub struct TestCertificate {
    pub chain: Vec<CertificateDer<'static>>,
    /// PKCS#8.
    pub key: Vec<u8>,
}

/// The content of a certificate to issue.
#[derive(Debug, Clone)]
pub struct CertificateSpec {
    pub common_name: String,
    pub serial: u64,
    pub not_before: Timestamp,
    pub not_after: Timestamp,
    pub purposes: Vec<ExtendedKeyUsagePurpose>,
    pub hosts: Vec<String>,
}

impl CertificateSpec {
    /// A bank's client certificate.
    pub fn bank(common_name: &str, serial: u64) -> Self {
        Self {
            common_name: common_name.into(),
            serial,
            not_before: NOW.minus(DAY),
            not_after: NOW.plus(DAY * 90),
            purposes: vec![ExtendedKeyUsagePurpose::ClientAuth],
            hosts: Vec::new(),
        }
    }

    /// The gateway's server certificate, for `localhost` and 127.0.0.1.
    pub fn server(serial: u64) -> Self {
        Self {
            purposes: vec![ExtendedKeyUsagePurpose::ServerAuth],
            hosts: vec!["localhost".into(), "127.0.0.1".into()],
            ..Self::bank("gateway", serial)
        }
    }
}

fn parameters(common_name: &str, not_before: Timestamp, not_after: Timestamp) -> CertificateParams {
    let mut parameters = CertificateParams::default();
    let mut name = DistinguishedName::new();
    name.push(DnType::CountryName, "CN");
    name.push(DnType::CommonName, common_name);
    parameters.distinguished_name = name;
    parameters.not_before = not_before.to_utc();
    parameters.not_after = not_after.to_utc();
    parameters.use_authority_key_identifier_extension = true;
    parameters
}

fn authority_parameters(name: &str, serial: u64) -> CertificateParams {
    let mut parameters = parameters(name, NOW.minus(DAY * 30), NOW.plus(DAY * 3650));
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    parameters.serial_number = Some(SerialNumber::from(serial));
    parameters
}

impl TestCa {
    /// Makes a root. Several may have the same name.
    pub fn root(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let parameters = authority_parameters(name, 1);
        let certificate = parameters.self_signed(&key).unwrap().der().clone();
        let issuer = Issuer::new(parameters, key);
        Self { id: new_id(), name: name.into(), certificate, intermediates: Vec::new(), issuer, serial: 1 }
    }

    /// Makes an intermediate authority.
    pub fn intermediate(&self, name: &str, serial: u64) -> Self {
        let key = KeyPair::generate().unwrap();
        let parameters = authority_parameters(name, serial);
        let certificate = parameters.signed_by(&key, &self.issuer).unwrap().der().clone();
        let mut intermediates = vec![certificate.clone()];
        intermediates.extend(self.intermediates.iter().cloned());
        let issuer = Issuer::new(parameters, key);
        Self { id: new_id(), name: name.into(), certificate, intermediates, issuer, serial }
    }

    /// Its own serial number.
    pub const fn serial(&self) -> u64 {
        self.serial
    }

    /// Issues a certificate.
    pub fn issue(&self, spec: &CertificateSpec) -> TestCertificate {
        let mut parameters = parameters(&spec.common_name, spec.not_before, spec.not_after);
        parameters.serial_number = Some(SerialNumber::from(spec.serial));
        parameters.extended_key_usages.clone_from(&spec.purposes);
        parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        parameters.subject_alt_names = CertificateParams::new(spec.hosts.clone()).unwrap().subject_alt_names;
        let key = KeyPair::generate().unwrap();
        let mut chain = vec![parameters.signed_by(&key, &self.issuer).unwrap().der().clone()];
        chain.extend(self.intermediates.iter().cloned());
        TestCertificate { chain, key: key.serialize_der() }
    }

    /// Issues a bank's certificate.
    pub fn bank(&self, common_name: &str, serial: u64) -> TestCertificate {
        self.issue(&CertificateSpec::bank(common_name, serial))
    }

    /// Makes a revocation list that is valid for a week from [`NOW`].
    pub fn list(&self, revoked: &[u64]) -> RevocationList {
        self.list_of(NOW, NOW.plus(DAY * 7), revoked)
    }

    /// Makes a revocation list.
    pub fn list_of(&self, from: Timestamp, until: Timestamp, revoked: &[u64]) -> RevocationList {
        self.numbered_list(u64::try_from(from.seconds()).unwrap(), from, until, revoked)
    }

    /// Makes a revocation list with a number; the number of the others is their time of issue.
    pub fn numbered_list(&self, number: u64, from: Timestamp, until: Timestamp, revoked: &[u64]) -> RevocationList {
        let entry = |serial: &u64| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: from.to_utc(),
            reason_code: Some(RevocationReason::KeyCompromise),
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: from.to_utc(),
            next_update: until.to_utc(),
            crl_number: SerialNumber::from(number),
            issuing_distribution_point: None,
            revoked_certs: revoked.iter().map(entry).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        RevocationList::read(list.signed_by(&self.issuer).unwrap().der()).unwrap()
    }

    /// The authority as a trust anchor.
    pub fn anchor(&self, lists: Vec<RevocationList>) -> Anchor {
        Anchor { id: self.id, name: self.name.clone(), certificate: self.certificate.clone(), lists }
    }

    /// A root store with this root alone.
    pub fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        roots
    }
}

fn new_id() -> AuthorityId {
    AuthorityId::new(&SystemClock, &SystemEntropy)
}

impl TestCertificate {
    /// The private key, for rustls.
    pub fn private_key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::try_from(self.key.clone()).unwrap()
    }

    /// Chain and key, for a server.
    pub fn certified(&self) -> Arc<CertifiedKey> {
        Arc::new(CertifiedKey::from_der(self.chain.clone(), self.private_key(), &tls::provider()).unwrap())
    }
}

/// Trust in some authorities, without blocked certificates.
pub fn trust(generation: u64, anchors: Vec<Anchor>) -> PartnerTrust {
    PartnerTrust::new(generation, anchors, HashSet::new()).unwrap()
}

/// The TLS configuration of a client that trusts the server's root and has a certificate, if any.
pub fn client(server: &TestCa, identity: Option<&TestCertificate>, clock: SharedClock) -> ClientConfig {
    let identity = identity
        .map(|certificate| tls::ClientCertificate { chain: certificate.chain.clone(), key: certificate.private_key() });
    tls::client_config(server.roots(), identity, clock).unwrap()
}

/// Makes a handshake in memory, of a client with `certificate` and a server with `trust`, and returns the client's identity.
pub fn identify(trust: impl Into<Arc<PartnerTrust>>, certificate: &TestCertificate, now: Timestamp) -> Identified {
    let trust: Arc<PartnerTrust> = trust.into();
    let clock = ManualClock::new(now);
    let server_ca = TestCa::root("server root");
    let server_certificate = server_ca.issue(&CertificateSpec::server(2));
    let server = tls::server_config(Arc::clone(&trust), server_certificate.certified(), clock.clone()).unwrap();
    let client = client(&server_ca, Some(certificate), clock.clone());
    let mut client =
        ClientConnection::new(Arc::new(client), ServerName::try_from("localhost").unwrap()).expect("a client");
    let mut server = ServerConnection::new(Arc::new(server)).expect("a server");
    // A handshake takes fewer flights; the rounds that are left do nothing.
    for _ in 0..8 {
        pump(|out| client.write_tls(out).unwrap(), |input| server.read_tls(input).unwrap());
        server.process_new_packets().map_err(Refusal::Handshake)?;
        pump(|out| server.write_tls(out).unwrap(), |input| client.read_tls(input).unwrap());
        client.process_new_packets().map_err(Refusal::Handshake)?;
    }
    // The same trust accepts the certificate again after the handshake.
    Ok(ClientIdentity::of(&server, &trust, clock.now()).expect("the identity of a finished handshake"))
}

/// The outcome of a handshake in memory.
pub type Identified = Result<ClientIdentity, Refusal>;

/// Why a handshake failed.
#[derive(Debug)]
pub enum Refusal {
    /// TLS refused it.
    Handshake(rustls::Error),
}

fn pump(write: impl FnOnce(&mut Vec<u8>) -> usize, mut read: impl FnMut(&mut &[u8]) -> usize) {
    let mut bytes = Vec::new();
    write(&mut bytes);
    let mut rest = bytes.as_slice();
    // One call may take only a part of the bytes.
    while !rest.is_empty() {
        read(&mut rest);
    }
}
