//! Distinguished names as RFC 4514 text: the form in which banks are registered, and which RFC 8705 uses.
//!
//! Each name has exactly one text: the nine short names of RFC 4514 section 3 and no others, other attributes by object
//! identifier and hex value, and the parts in reverse order as the RFC requires.

use std::fmt::Write as _;

use x509_parser::{
    asn1_rs::ToDer as _,
    x509::{AttributeTypeAndValue, X509Name},
};

/// The short names of RFC 4514 section 3, by object identifier.
const SHORT_NAMES: [(&str, &str); 9] = [
    ("2.5.4.3", "CN"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("2.5.4.6", "C"),
    ("2.5.4.9", "STREET"),
    ("0.9.2342.19200300.100.1.25", "DC"),
    ("0.9.2342.19200300.100.1.1", "UID"),
];

/// Returns the text of a name; `None` if an attribute cannot be encoded.
pub(super) fn text(name: &X509Name<'_>) -> Option<String> {
    let mut parts = Vec::new();
    for rdn in name.iter_rdn() {
        let attributes: Option<Vec<String>> = rdn.iter().map(attribute).collect();
        parts.push(attributes?.join("+"));
    }
    // RFC 4514 section 2.1: the last RDN comes first.
    parts.reverse();
    Some(parts.join(","))
}

fn attribute(attribute: &AttributeTypeAndValue<'_>) -> Option<String> {
    let number = attribute.attr_type().to_id_string();
    let short = SHORT_NAMES.iter().find(|(oid, _)| *oid == number).map(|(_, short)| *short);
    if let (Some(short), Ok(value)) = (short, attribute.as_str()) {
        return Some(format!("{short}={}", escaped(value)));
    }
    // RFC 4514 section 2.4: what has no short name or no string form is the hex of its DER, so that two different names
    // never have one text.
    let der = attribute.attr_value().to_der_vec().ok()?;
    Some(format!("{}=#{}", short.unwrap_or(&number), data_encoding::HEXLOWER.encode(&der)))
}

/// Escapes a value (RFC 4514 section 2.4). Control characters become hex too, so that a name cannot forge a log line.
fn escaped(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let last = value.chars().count().saturating_sub(1);
    for (at, letter) in value.chars().enumerate() {
        let at_edge = (at == 0 && matches!(letter, ' ' | '#')) || (at == last && letter == ' ');
        match letter {
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' => {
                out.push('\\');
                out.push(letter);
            }
            _ if at_edge => {
                out.push('\\');
                out.push(letter);
            }
            _ if letter.is_control() => {
                let mut bytes = [0; 4];
                for byte in letter.encode_utf8(&mut bytes).as_bytes() {
                    // Infallible: writing to a String.
                    let _ = write!(out, "\\{byte:02x}");
                }
            }
            _ => out.push(letter),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, DnValue};
    use x509_parser::prelude::{FromDer as _, X509Certificate};

    use super::*;

    fn subject_text(parts: &[(DnType, DnValue)]) -> String {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        for (kind, value) in parts {
            params.distinguished_name.push(kind.clone(), value.clone());
        }
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let (_, parsed) = X509Certificate::from_der(certificate.der()).unwrap();
        text(parsed.subject()).unwrap()
    }

    fn utf8(text: &str) -> DnValue {
        DnValue::Utf8String(text.into())
    }

    #[test]
    fn the_last_part_comes_first() {
        let parts = [
            (DnType::CountryName, utf8("CN")),
            (DnType::OrganizationName, utf8("温州示范银行")),
            (DnType::CommonName, utf8("loans-1")),
        ];
        assert_eq!(subject_text(&parts), "CN=loans-1,O=温州示范银行,C=CN");
    }

    #[test]
    fn the_string_type_makes_no_difference() {
        let printable = DnValue::PrintableString("loans-1".try_into().unwrap());
        assert_eq!(
            subject_text(&[(DnType::CommonName, printable)]),
            subject_text(&[(DnType::CommonName, utf8("loans-1"))])
        );
    }

    #[test]
    fn separators_edges_and_control_characters_are_escaped() {
        let parts = |value| [(DnType::CommonName, utf8(value))];
        assert_eq!(subject_text(&parts("a,O=b+c")), r"CN=a\,O=b\+c");
        assert_eq!(subject_text(&parts(" #a ")), r"CN=\ #a\ ");
        assert_eq!(subject_text(&parts("#a")), r"CN=\#a");
        assert_eq!(subject_text(&parts("a\nb\0")), r"CN=a\0ab\00");
        assert_eq!(subject_text(&parts(r#"a"\<>;"#)), r#"CN=a\"\\\<\>\;"#);
    }

    #[test]
    fn an_attribute_without_a_short_name_is_its_identifier_and_hex_value() {
        let organization_identifier = DnType::CustomDnType(vec![2, 5, 4, 97]);
        assert_eq!(subject_text(&[(organization_identifier, utf8("X-1"))]), "2.5.4.97=#0c03582d31");
    }
}
