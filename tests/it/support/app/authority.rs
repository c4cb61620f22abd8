//! The certification authority and the certificates of the gateway under test.

use medcredit::{
    authority::{Custody, ProfileName, ProfileValues, certificates, files, keys, local_ca, server},
    config::Config,
    identity::CertificateFacts,
};

/// Prepares what a gateway needs to serve: a local certification authority, keys and a server certificate.
pub async fn furnish(custody: &Custody, config: &Config) -> local_ca::CreatedAuthority {
    let ca = local_ca::init(custody, "test authority", &profile_values("test authority")).await.unwrap();
    keys::create_missing(custody).await.unwrap();
    let mut server = profile_values("gateway");
    server.hosts = vec!["localhost".into(), "127.0.0.1".into()];
    let (issued, key) = issue(custody, ProfileName::Server, &server).await;
    std::fs::create_dir_all(config.partner.certificate_file.parent().unwrap()).unwrap();
    std::fs::write(&config.partner.certificate_file, files::to_pem("CERTIFICATE", &issued).as_bytes()).unwrap();
    let facts = CertificateFacts::read(&issued).unwrap();
    let sealed = server::seal(&custody.crypter, &facts, &key).unwrap();
    files::write_private(&config.partner.key_file, sealed.as_bytes()).unwrap();
    ca
}

pub(super) fn profile_values(name: &str) -> ProfileValues {
    let mut values = ProfileValues::default();
    for attribute in ["name", "organization"] {
        values.subject.insert(attribute.into(), name.into());
    }
    values
}

pub(super) async fn issue(custody: &Custody, profile: ProfileName, values: &ProfileValues) -> (Vec<u8>, Vec<u8>) {
    let request = certificates::Request { profile, values, signing_request: None };
    let issued = certificates::issue(custody, &request).await.unwrap();
    (issued.certificate, issued.private_key.unwrap().to_vec())
}
