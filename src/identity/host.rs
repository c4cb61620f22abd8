//! Whether a server certificate is valid for a host.

use rustls::{
    client::verify_server_name,
    pki_types::{CertificateDer, ServerName},
    server::ParsedCertificate,
};

/// Whether a certificate names a host (a DNS name or an IP address), as clients compare it.
pub fn is_valid_for_host(certificate: &CertificateDer<'_>, host: &str) -> bool {
    // An IPv6 address is in brackets in an origin.
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let (Ok(parsed), Ok(name)) = (ParsedCertificate::try_from(certificate), ServerName::try_from(host)) else {
        return false;
    };
    verify_server_name(&parsed, &name).is_ok()
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};

    use super::is_valid_for_host;

    #[test]
    fn names_and_addresses_are_compared_as_clients_do() {
        let names = ["credit.example.gov.cn", "*.bank.example", "127.0.0.1", "::1"].map(str::to_owned);
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(names).unwrap().self_signed(&key).unwrap();
        for host in ["credit.example.gov.cn", "CREDIT.example.gov.cn", "a.bank.example", "127.0.0.1", "[::1]"] {
            assert!(is_valid_for_host(certificate.der(), host), "{host}");
        }
        for host in ["example.gov.cn", "x.credit.example.gov.cn", "a.b.bank.example", "127.0.0.2", "", "a b"] {
            assert!(!is_valid_for_host(certificate.der(), host), "{host}");
        }
        assert!(!is_valid_for_host(&vec![0x30, 0].into(), "127.0.0.1"));
    }
}
