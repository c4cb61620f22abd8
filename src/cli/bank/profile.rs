//! `bank.toml`: everything a bank needs to call the gateway.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::{
    cli::{Context, Usage},
    domain::{ids::ClientId, permission::Purpose},
};

/// A profile that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the bank profile {}: {problem}", path.display())]
pub(in crate::cli) struct ProfileError {
    path: PathBuf,
    problem: String,
}

/// A bank's profile. Relative paths start at the profile's own directory.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::cli) struct Profile {
    /// The gateway's public origin, exactly as the bureau gives it: signatures cover it.
    pub(in crate::cli) origin: String,
    /// The authority that issued the gateway's certificate, PEM.
    pub(in crate::cli) ca: PathBuf,
    /// The bank's certificate chain, PEM, its own first.
    pub(in crate::cli) certificate: PathBuf,
    /// Its private key, PKCS#8 PEM.
    pub(in crate::cli) key: PathBuf,
    /// The `client_id`; without it, the one that the gateway returns.
    pub(in crate::cli) client_id: Option<ClientId>,
    /// The key of client assertions (`private_key_jwt`) and request signatures, PKCS#8 PEM.
    pub(in crate::cli) signing_key: Option<PathBuf>,
    /// The `kid` of the signing key in the registered key set, if it is not its thumbprint.
    pub(in crate::cli) signing_key_id: Option<String>,
    /// Whether requests for data are signed.
    #[serde(default)]
    pub(in crate::cli) sign_requests: bool,
    /// The purpose of readings, for commands without --purpose.
    pub(in crate::cli) purpose: Option<Purpose>,
    /// The directory for answers, keys and checkpoints.
    #[serde(default = "answers")]
    pub(in crate::cli) directory: PathBuf,
}

fn answers() -> PathBuf {
    "answers".into()
}

impl Profile {
    /// The profile of `--profile`, or of `MEDCREDIT_BANK`.
    pub(in crate::cli) fn find(argument: Option<&Path>, ctx: &Context) -> anyhow::Result<Self> {
        let path = argument.or(ctx.bank_profile.as_deref()).ok_or_else(|| {
            Usage("a bank profile is needed: --profile bank.toml, or MEDCREDIT_BANK in the environment".into())
        })?;
        Ok(Self::load(path)?)
    }

    /// Reads a profile.
    pub(in crate::cli) fn load(path: &Path) -> Result<Self, ProfileError> {
        let wrong = |problem: String| ProfileError { path: path.to_owned(), problem };
        let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
        let mut profile: Self = toml::from_str(&text).map_err(|error| wrong(format!("\n{error}")))?;
        profile.check().map_err(wrong)?;
        let home = path.parent().unwrap_or(Path::new(""));
        let Self { ca, certificate, key, directory, .. } = &mut profile;
        for file in [ca, certificate, key, directory] {
            *file = home.join(&*file);
        }
        profile.signing_key = profile.signing_key.map(|file| home.join(file));
        Ok(profile)
    }

    fn check(&self) -> Result<(), String> {
        let uri: http::Uri = self.origin.parse().map_err(|_| format!("origin {:?} is not a URL", self.origin))?;
        let authority = uri.authority().map(ToString::to_string).unwrap_or_default();
        // Compared as a whole: a user, a path or a final slash would change what signatures cover.
        if self.origin != format!("https://{authority}") || uri.host().unwrap_or_default().is_empty() {
            return Err(format!(
                "origin must be https://host or https://host:port, without a path or a final slash, and not {:?}",
                self.origin
            ));
        }
        if self.sign_requests && self.signing_key.is_none() {
            return Err("sign_requests needs a signing_key".into());
        }
        Ok(())
    }

    /// The gateway's host.
    pub(in crate::cli) fn host(&self) -> String {
        let uri: Option<http::Uri> = self.origin.parse().ok();
        // Infallible: the origin was parsed when the profile was read.
        uri.and_then(|uri| uri.host().map(|host| host.trim_matches(['[', ']']).to_owned())).unwrap_or_default()
    }

    /// The gateway's port.
    pub(in crate::cli) fn port(&self) -> u16 {
        let uri: Option<http::Uri> = self.origin.parse().ok();
        uri.and_then(|uri| uri.port_u16()).unwrap_or(443)
    }

    /// The text of a profile file; relative paths start at its own directory.
    pub(in crate::cli) fn text(origin: &str, ca: &str, certificate: &str, key: &str, directory: &str) -> String {
        format!(
            r#"# The profile of `medcredit bank --profile <this file> ...`; docs/BANK-KIT.md explains each line.
origin = {origin:?}
ca = {ca:?}
certificate = {certificate:?}
key = {key:?}
directory = {directory:?}
# purpose = "pre_loan_review"       # for commands without --purpose
# signing_key = "signing.key"       # for private_key_jwt and request signatures
# sign_requests = true
"#
        )
    }
}
