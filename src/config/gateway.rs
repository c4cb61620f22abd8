//! `[gateway]`: the gateway's public identity.

use serde::{Deserialize, Serialize};

use super::{Report, Section};

/// The gateway's public identity.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gateway {
    /// The origin that banks connect to. Signatures of responses cover it.
    pub public_origin: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    issuer: Option<String>,
}

impl Gateway {
    /// The issuer of access tokens.
    pub fn issuer(&self) -> &str {
        self.issuer.as_deref().unwrap_or(&self.public_origin)
    }
}

impl Section for Gateway {
    fn check(&self, report: &mut Report<'_>) {
        for (key, value) in [("public_origin", Some(&self.public_origin)), ("issuer", self.issuer.as_ref())] {
            if let Some(value) = value {
                check_https(report, key, value);
            }
        }
        check_bare(report, "public_origin", &self.public_origin);
    }
}

fn check_bare(report: &mut Report<'_>, key: &str, value: &str) {
    // `Uri` gives every origin the path `/`; a slash that is written is refused by `check_https`.
    let bare = value.parse::<http::Uri>().is_ok_and(|uri| uri.path() == "/" && uri.query().is_none());
    report.require(bare, key, "must be an origin: scheme, host and port only");
}

/// Requires an https origin: scheme, host and port only.
pub(super) fn check_origin(report: &mut Report<'_>, key: &str, value: &str) {
    check_https(report, key, value);
    check_bare(report, key, value);
}

fn check_https(report: &mut Report<'_>, key: &str, value: &str) {
    let uri = value.parse::<http::Uri>();
    let https = uri.as_ref().is_ok_and(|uri| uri.scheme_str() == Some("https") && uri.host().is_some());
    report.require(https, key, "must be an https URL, as in https://credit.example.gov.cn:8443");
    report.require(!value.ends_with('/'), key, "must not end in a slash: paths are appended to it");
}
