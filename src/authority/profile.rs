//! Certificate profiles: the contents of the certificates that the gateway's own authority issues, as data in `certs/`.

use std::{collections::BTreeMap, path::Path, time::Duration};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, DnValue, ExtendedKeyUsagePurpose, IsCa,
    KeyUsagePurpose, SerialNumber, string::PrintableString,
};
use serde::Deserialize;

use super::AuthorityError;
use crate::domain::{Entropy, Timestamp, printable::check_text, words::words};

/// How long before its issue the validity of a certificate begins, because a bank's clock may be behind.
const BACKDATED: Duration = Duration::from_mins(5);
/// Octets of a serial number: RFC 5280 section 4.1.2.2 allows 20, and 16 random ones cannot be guessed.
const SERIAL_OCTETS: usize = 16;

words! {
    /// The name of a certificate profile: on the command line, in the store, and as the file name without `.toml`.
    ProfileName: "certificate profile" {
        /// The gateway's own authority.
        Ca = "ca",
        /// The gateway's server certificate.
        Server = "server",
        /// A bank's client certificate.
        BankClient = "bank-client",
    }
}

impl ProfileName {
    const fn compiled_in(self) -> &'static str {
        match self {
            Self::Ca => include_str!("../../certs/ca.toml"),
            Self::Server => include_str!("../../certs/server.toml"),
            Self::BankClient => include_str!("../../certs/bank-client.toml"),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum KeyUsage {
    DigitalSignature,
    KeyCertSign,
    CrlSign,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ExtendedKeyUsage {
    ServerAuth,
    ClientAuth,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
enum Attribute {
    C,
    ST,
    L,
    O,
    OU,
    CN,
}

/// The contents of certificates, with placeholders such as `{name}`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    subject: Vec<(Attribute, String)>,
    validity_days: u32,
    key_usage: Vec<KeyUsage>,
    #[serde(default)]
    extended_key_usage: Vec<ExtendedKeyUsage>,
    #[serde(default)]
    needs_host: bool,
    path_length: Option<u8>,
}

/// The values that complete a profile.
#[derive(Debug, Clone, Default)]
pub struct ProfileValues {
    /// The values of the subject's placeholders, such as `{name}`.
    pub subject: BTreeMap<String, String>,
    /// The host names and addresses of a server.
    pub hosts: Vec<String>,
}

impl Profile {
    /// Reads a profile from the operator's directory, or returns the compiled-in one.
    pub fn read(directory: Option<&Path>, name: ProfileName) -> Result<Self, AuthorityError> {
        let text = match directory {
            None => name.compiled_in().to_owned(),
            Some(directory) => {
                let path = directory.join(format!("{name}.toml"));
                std::fs::read_to_string(&path).map_err(|source| AuthorityError::File { path, verb: "read", source })?
            }
        };
        let profile: Self =
            toml::from_str(&text).map_err(|error| AuthorityError::Invalid(format!("profile {name}: {error}")))?;
        profile.check(name)?;
        Ok(profile)
    }

    fn check(&self, name: ProfileName) -> Result<(), AuthorityError> {
        let wrong = |what: &str| Err(AuthorityError::Invalid(format!("profile {name}: {what}")));
        if self.subject.is_empty() {
            return wrong("a certificate needs a subject");
        }
        // Twenty years at most, and at least a day: zero would issue certificates that have already ended.
        if !(1..=7300).contains(&self.validity_days) {
            return wrong("validity_days must be 1 to 7300");
        }
        let uses = |usage| self.key_usage.contains(&usage);
        let serves = |usage| self.extended_key_usage.contains(&usage);
        match name {
            ProfileName::Ca if !uses(KeyUsage::KeyCertSign) || !uses(KeyUsage::CrlSign) => {
                wrong("an authority needs key_cert_sign and crl_sign")
            }
            ProfileName::Server | ProfileName::BankClient if uses(KeyUsage::KeyCertSign) => {
                wrong("only an authority may sign certificates")
            }
            ProfileName::Server if !serves(ExtendedKeyUsage::ServerAuth) => wrong("a server needs server_auth"),
            ProfileName::BankClient if !serves(ExtendedKeyUsage::ClientAuth) => wrong("a bank needs client_auth"),
            _ => Ok(()),
        }
    }

    /// The contents of a certificate that is issued at `now` and does not outlive its issuer.
    pub(super) fn parameters(
        &self,
        values: &ProfileValues,
        now: Timestamp,
        no_later_than: Option<Timestamp>,
        entropy: &dyn Entropy,
    ) -> Result<CertificateParams, AuthorityError> {
        if self.needs_host && values.hosts.is_empty() {
            return Err(AuthorityError::Invalid("a server's certificate needs at least one host".into()));
        }
        if !self.needs_host && !values.hosts.is_empty() {
            return Err(AuthorityError::Invalid("certificates of this profile have no host".into()));
        }
        let mut parameters = CertificateParams::new(values.hosts.clone())
            .map_err(|error| AuthorityError::Create("the list of hosts", error))?;
        parameters.distinguished_name = self.subject(&values.subject)?;
        let validity = Duration::from_hours(24 * u64::from(self.validity_days));
        let not_after = now.plus(validity);
        parameters.not_before = now.minus(BACKDATED).to_utc();
        // A certificate that outlives its issuer would fail before its own end, and nobody would expect it.
        parameters.not_after = no_later_than.map_or(not_after, |end| end.min(not_after)).to_utc();
        parameters.key_usages = self
            .key_usage
            .iter()
            .map(|usage| match usage {
                KeyUsage::DigitalSignature => KeyUsagePurpose::DigitalSignature,
                KeyUsage::KeyCertSign => KeyUsagePurpose::KeyCertSign,
                KeyUsage::CrlSign => KeyUsagePurpose::CrlSign,
            })
            .collect();
        parameters.extended_key_usages = self
            .extended_key_usage
            .iter()
            .map(|usage| match usage {
                ExtendedKeyUsage::ServerAuth => ExtendedKeyUsagePurpose::ServerAuth,
                ExtendedKeyUsage::ClientAuth => ExtendedKeyUsagePurpose::ClientAuth,
            })
            .collect();
        parameters.is_ca = match (self.key_usage.contains(&KeyUsage::KeyCertSign), self.path_length) {
            // Said explicitly, so that no verifier has to apply a default.
            (false, _) => IsCa::ExplicitNoCa,
            (true, Some(length)) => IsCa::Ca(BasicConstraints::Constrained(length)),
            (true, None) => IsCa::Ca(BasicConstraints::Unconstrained),
        };
        parameters.serial_number = Some(serial_number(entropy));
        parameters.use_authority_key_identifier_extension = true;
        Ok(parameters)
    }

    fn subject(&self, values: &BTreeMap<String, String>) -> Result<DistinguishedName, AuthorityError> {
        let mut subject = DistinguishedName::new();
        for (attribute, template) in &self.subject {
            let value = fill(template, values)?;
            let (kind, value) = match attribute {
                // RFC 5280 appendix A: countryName is two printable letters.
                Attribute::C => {
                    let printable = PrintableString::try_from(value.as_str()).ok().filter(|_| value.len() == 2);
                    let bad = || AuthorityError::Invalid(format!("{value:?} is not a country of two letters"));
                    (DnType::CountryName, DnValue::PrintableString(printable.ok_or_else(bad)?))
                }
                Attribute::ST => (DnType::StateOrProvinceName, DnValue::Utf8String(value)),
                Attribute::L => (DnType::LocalityName, DnValue::Utf8String(value)),
                Attribute::O => (DnType::OrganizationName, DnValue::Utf8String(value)),
                Attribute::OU => (DnType::OrganizationalUnitName, DnValue::Utf8String(value)),
                Attribute::CN => (DnType::CommonName, DnValue::Utf8String(value)),
            };
            subject.push(kind, value);
        }
        Ok(subject)
    }
}

/// Replaces the placeholders of a template, such as `{name}`.
fn fill(template: &str, values: &BTreeMap<String, String>) -> Result<String, AuthorityError> {
    let invalid = |what: String| Err(AuthorityError::Invalid(what));
    let mut text = String::new();
    let mut rest = template;
    // One pass: a value with braces is text, and never a placeholder for another value.
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, after)) = after.split_once('}') else {
            return invalid(format!("{template:?} has a placeholder without a closing brace"));
        };
        text.push_str(before);
        match values.get(name) {
            Some(value) => text.push_str(value),
            None => {
                return invalid(format!("the profile's subject needs a value for {{{name}}}: add --set {name}=..."));
            }
        }
        rest = after;
    }
    text.push_str(rest);
    // RFC 5280 appendix A bounds names at 64 characters.
    if let Err(error) = check_text(&text, 64) {
        return invalid(format!("{text:?} cannot be part of a subject: {}", error.0));
    }
    Ok(text)
}

/// Creates a random serial number, positive and of full length.
fn serial_number(entropy: &dyn Entropy) -> SerialNumber {
    let mut octets = [0; SERIAL_OCTETS];
    entropy.fill(&mut octets);
    // The first bit is the sign; the second is set so that the number has no leading zeros.
    octets[0] = (octets[0] & 0x7f) | 0x40;
    SerialNumber::from_slice(&octets)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::SeededEntropy;

    fn profile_values(values: &[(&str, &str)], hosts: &[&str]) -> ProfileValues {
        ProfileValues {
            subject: values.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
            hosts: hosts.iter().map(|host| (*host).into()).collect(),
        }
    }

    fn issue(name: ProfileName, values: &ProfileValues) -> Result<CertificateParams, AuthorityError> {
        let profile = Profile::read(None, name).unwrap();
        profile.parameters(values, Timestamp::from_seconds(1_772_323_200), None, &*SeededEntropy::new(1))
    }

    #[test]
    fn the_compiled_in_profiles_are_valid() {
        issue(ProfileName::Ca, &profile_values(&[("organization", "示范医保局"), ("name", "issuing")], &[])).unwrap();
        issue(ProfileName::Server, &profile_values(&[("organization", "示范医保局"), ("name", "g")], &["localhost"]))
            .unwrap();
        issue(ProfileName::BankClient, &profile_values(&[("organization", "示范银行"), ("name", "a")], &[])).unwrap();
    }

    #[test]
    fn a_missing_value_is_named() {
        let error = issue(ProfileName::BankClient, &profile_values(&[("organization", "示范银行")], &[])).unwrap_err();
        assert!(error.to_string().contains("{name}"), "{error}");
    }

    #[test]
    fn a_value_cannot_be_empty_long_or_break_lines() {
        for bad in ["", " ", "a\nb", &"长".repeat(65)] {
            let values = profile_values(&[("organization", "示范银行"), ("name", bad)], &[]);
            assert!(issue(ProfileName::BankClient, &values).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_server_needs_a_host_and_a_bank_has_none() {
        let values = &[("organization", "示范"), ("name", "x")];
        assert!(issue(ProfileName::Server, &profile_values(values, &[])).is_err());
        assert!(issue(ProfileName::BankClient, &profile_values(values, &["localhost"])).is_err());
    }

    #[test]
    fn serial_numbers_are_positive_and_of_full_length() {
        let entropy = SeededEntropy::new(7);
        for _ in 0..64 {
            let serial = serial_number(&*entropy).to_bytes();
            assert_eq!(serial.len(), SERIAL_OCTETS);
            assert!((0x40..0x80).contains(&serial[0]));
        }
    }

    #[test]
    fn a_profile_that_breaks_its_role_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let bad = "subject = [[\"CN\", \"{name}\"]]\nvalidity_days = 10\nkey_usage = [\"key_cert_sign\"]\nextended_key_usage = [\"client_auth\"]\n";
        std::fs::write(directory.path().join("bank-client.toml"), bad).unwrap();
        let error = Profile::read(Some(directory.path()), ProfileName::BankClient).unwrap_err();
        assert!(error.to_string().contains("only an authority"), "{error}");
    }
}
