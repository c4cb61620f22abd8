//! The contents of X.509 certificates: names, validity, purposes, key strength.

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use x509_parser::{
    prelude::{FromDer as _, X509Certificate},
    public_key::PublicKey,
    x509::SubjectPublicKeyInfo,
};

use super::{error::IdentityError, name};
use crate::domain::Timestamp;

/// The minimum size of an RSA modulus in bits (FAPI 2.0 section 5.4.1).
const MINIMUM_RSA_BITS: usize = 2048;
/// The minimum size of an elliptic curve's field in bits (FAPI 2.0 section 5.4.1).
const MINIMUM_EC_BITS: usize = 224;
/// Ed25519 (RFC 8410), strong enough by construction.
const ED25519: &str = "1.3.101.112";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Strength {
    Enough,
    Weak,
}

/// The contents of a certificate, without verification: nothing here proves who issued it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFacts {
    /// Subject, RFC 4514.
    pub subject: String,
    /// Issuer, RFC 4514.
    pub issuer: String,
    /// Serial number, lower-case hex without leading zeros.
    pub serial: String,
    /// SHA-256 of the DER, base64url: `x5t#S256` of RFC 8705.
    pub thumbprint: String,
    /// First instant of validity.
    pub not_before: Timestamp,
    /// Last instant of validity.
    pub not_after: Timestamp,
    /// Whether it may issue certificates.
    pub is_authority: bool,
    /// Whether client authentication is among its purposes; a certificate without purposes has none here.
    pub client_authentication: bool,
    /// Whether server authentication is among its purposes.
    pub server_authentication: bool,
    /// SubjectPublicKeyInfo, DER.
    pub public_key_der: Vec<u8>,
    strength: Strength,
}

impl CertificateFacts {
    /// Parses a certificate.
    pub fn read(der: &[u8]) -> Result<Self, IdentityError> {
        let (rest, certificate) = X509Certificate::from_der(der).map_err(|_| IdentityError::Malformed)?;
        // The thumbprint covers all bytes: bytes after the certificate would give one certificate many thumbprints.
        if !rest.is_empty() {
            return Err(IdentityError::Malformed);
        }
        let malformed = |_| IdentityError::Malformed;
        let purposes = certificate.extended_key_usage().map_err(malformed)?.map(|extension| extension.value);
        let name_text = |name| name::text(name).ok_or(IdentityError::Malformed);
        Ok(Self {
            subject: name_text(certificate.subject())?,
            issuer: name_text(certificate.issuer())?,
            serial: serial_text(certificate.raw_serial()),
            thumbprint: thumbprint(der),
            not_before: Timestamp::from_seconds(certificate.validity().not_before.timestamp()),
            not_after: Timestamp::from_seconds(certificate.validity().not_after.timestamp()),
            is_authority: certificate.is_ca(),
            // `any` and an absent extension count as no: a certificate is for what it names.
            client_authentication: purposes.is_some_and(|purposes| purposes.client_auth),
            server_authentication: purposes.is_some_and(|purposes| purposes.server_auth),
            public_key_der: certificate.public_key().raw.to_vec(),
            strength: strength(certificate.public_key()),
        })
    }

    /// Refuses a key below the minimum strength (T9).
    pub const fn check_strength(&self) -> Result<(), IdentityError> {
        match self.strength {
            Strength::Enough => Ok(()),
            Strength::Weak => Err(IdentityError::Weak),
        }
    }
}

/// SHA-256 of a certificate's DER, base64url: `x5t#S256` of RFC 8705.
pub fn thumbprint(der: &[u8]) -> String {
    BASE64URL_NOPAD.encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, der).as_ref())
}

/// A serial number as lower-case hex without leading zeros.
pub fn serial_text(serial: &[u8]) -> String {
    let hex = HEXLOWER.encode(serial);
    let trimmed = hex.trim_start_matches('0');
    if trimmed.is_empty() { "0".into() } else { trimmed.into() }
}

/// Whether a certificate is signed with the key of another one.
pub fn is_signed_by(child: &[u8], parent: &[u8]) -> bool {
    // What cannot be parsed is signed by nobody.
    let parsed = X509Certificate::from_der(child).ok().zip(X509Certificate::from_der(parent).ok());
    parsed.is_some_and(|((_, child), (_, parent))| {
        // The names come first: comparing them as encoded is cheap, and spares most verifications.
        child.issuer().as_raw() == parent.subject().as_raw()
            && child.verify_signature(Some(parent.public_key())).is_ok()
    })
}

fn strength(key: &SubjectPublicKeyInfo<'_>) -> Strength {
    let strong = match key.parsed() {
        Ok(PublicKey::RSA(rsa)) => {
            // DER puts a zero octet before a modulus whose first bit is set; it is no part of the strength.
            let modulus = rsa.modulus.iter().position(|byte| *byte != 0).and_then(|at| rsa.modulus.get(at..));
            let bits = modulus
                .map_or(0, |bytes| bytes.len() * 8 - bytes.first().map_or(0, |byte| byte.leading_zeros() as usize));
            bits >= MINIMUM_RSA_BITS
        }
        Ok(PublicKey::EC(point)) => point.key_size() >= MINIMUM_EC_BITS,
        Ok(PublicKey::Unknown(_)) => key.algorithm.algorithm.to_id_string() == ED25519,
        _ => false,
    };
    if strong { Strength::Enough } else { Strength::Weak }
}

#[cfg(test)]
mod tests {
    use rcgen::{
        CertificateParams, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, SubjectPublicKeyInfo,
    };

    use super::*;

    /// One element of DER whose content is shorter than 64 KiB.
    fn element(tag: u8, content: &[u8]) -> Vec<u8> {
        let length = u16::try_from(content.len()).unwrap().to_be_bytes();
        [[tag, 0x82].as_slice(), &length, content].concat()
    }

    /// A certificate with an RSA key of a given size.
    fn rsa_certificate(bits: usize) -> Vec<u8> {
        let mut modulus = vec![0xff; bits.div_ceil(8)];
        modulus[0] = 0xff >> (modulus.len() * 8 - bits);
        modulus.insert(0, 0);
        let key = element(0x30, &[element(0x02, &modulus), vec![0x02, 0x03, 0x01, 0x00, 0x01]].concat());
        let algorithm = [0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];
        let bit_string = element(0x03, &[&[0], key.as_slice()].concat());
        let spki = element(0x30, &[algorithm.as_slice(), &bit_string].concat());
        let issuer = rcgen::Issuer::new(CertificateParams::default(), rcgen::KeyPair::generate().unwrap());
        let spki = SubjectPublicKeyInfo::from_der(&spki).unwrap();
        CertificateParams::default().signed_by(&spki, &issuer).unwrap().der().to_vec()
    }

    #[test]
    fn an_rsa_key_needs_at_least_2048_bits() {
        // T9.
        for (bits, taken) in [(1024, false), (2040, false), (2047, false), (2048, true), (4096, true)] {
            let facts = CertificateFacts::read(&rsa_certificate(bits)).unwrap();
            assert_eq!(facts.check_strength().is_ok(), taken, "{bits} bits");
        }
    }

    #[test]
    fn the_supported_curves_are_strong_enough() {
        for algorithm in [&PKCS_ECDSA_P256_SHA256, &PKCS_ECDSA_P384_SHA384, &PKCS_ED25519] {
            let key = rcgen::KeyPair::generate_for(algorithm).unwrap();
            let certificate = CertificateParams::default().self_signed(&key).unwrap();
            CertificateFacts::read(certificate.der()).unwrap().check_strength().unwrap();
        }
    }

    #[test]
    fn a_truncated_or_extended_certificate_is_malformed() {
        let whole = rsa_certificate(2048);
        let longer = [whole.as_slice(), &[0]].concat();
        for der in [&whole[..whole.len() - 1], &longer, &[]] {
            assert_eq!(CertificateFacts::read(der).unwrap_err(), IdentityError::Malformed);
        }
    }

    #[test]
    fn a_serial_number_has_one_text_form() {
        assert_eq!(serial_text(&[0x00, 0xab, 0x01]), "ab01");
        assert_eq!(serial_text(&[0x0b]), "b");
        assert_eq!(serial_text(&[0x00]), "0");
    }
}
