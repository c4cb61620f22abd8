//! Enrolment: an operator opens its link once, chooses a password, and proves that its authenticator has the secret.

use std::fmt;

use serde_json::json;
use zeroize::Zeroize;

use super::{
    EnrolError, Principals, PrincipalsError, password, qr,
    secrets::{code_digest, recovery_codes, token_digest},
    totp::{TotpSecret, invitation_context, totp_context},
};
use crate::{
    domain::{Actor, Channel, Timestamp},
    ledger::{self, Action, Change},
    store::operators::{self, InvitationRow},
};

/// What an operator sees who opens its link. The secret is shown to every holder of the link, which is why it is used once.
pub struct Invitation {
    /// The operator's name.
    pub name: String,
    pub expires_at: Timestamp,
    /// The secret for an authenticator, as it is typed (base32).
    pub secret: String,
    /// The same as an `otpauth:` URI.
    pub uri: String,
    /// The URI as a QR code: an SVG element.
    pub qr_svg: String,
}

impl fmt::Debug for Invitation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Invitation").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

/// The recovery codes of an operator, which are shown once.
pub struct RecoveryCodes(Vec<String>);

impl RecoveryCodes {
    /// The codes.
    pub fn codes(&self) -> &[String] {
        &self.0
    }
}

impl fmt::Debug for RecoveryCodes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryCodes(withheld)")
    }
}

impl Drop for RecoveryCodes {
    fn drop(&mut self) {
        self.0.iter_mut().for_each(Zeroize::zeroize);
    }
}

impl Principals {
    /// What the link with this token shows; none for one that was used, replaced or never made, or has expired.
    pub async fn invitation(&self, token: &str) -> Result<Option<Invitation>, PrincipalsError> {
        let Some(row) = self.find_invitation(token).await? else { return Ok(None) };
        let secret = self.secret_of(&row)?;
        let uri = secret.uri(self.issuer(), &row.name);
        Ok(Some(Invitation {
            expires_at: Timestamp::from_micros(row.expires_at),
            secret: secret.base32(),
            qr_svg: qr::svg(&uri)?,
            uri,
            name: row.name,
        }))
    }

    async fn find_invitation(&self, token: &str) -> Result<Option<InvitationRow>, PrincipalsError> {
        Ok(operators::invitation(&self.env.db, &token_digest(token), self.env.now()).await?)
    }

    fn secret_of(&self, row: &InvitationRow) -> Result<TotpSecret, PrincipalsError> {
        let opened = self.crypter.open(invitation_context(&row.operator_id), &row.sealed_totp)?;
        Ok(TotpSecret::of(&opened))
    }

    /// The name of the service that an authenticator shows: the console's host.
    fn issuer(&self) -> &str {
        self.policy.origin.split("//").last().unwrap_or_default()
    }

    /// Uses a link up: the operator has this password and the shown secret from now on, and gets its recovery codes.
    pub async fn enrol(&self, token: &str, password: &str, code: &str) -> Result<RecoveryCodes, EnrolError> {
        let row = self.find_invitation(token).await?.ok_or(EnrolError::NoInvitation)?;
        password::check(password, &row.name).map_err(EnrolError::Password)?;
        let now = self.env.now();
        let secret = self.secret_of(&row)?;
        let step = secret.step_of(code.trim(), now).ok_or(EnrolError::Code)?;
        let hash = self.hasher.hash(password, &*self.env.entropy).await?;
        let id = row.operator_id.as_str();
        let sealed = self.crypter.seal(totp_context(id), secret.bytes()).map_err(PrincipalsError::from)?;
        let codes = RecoveryCodes(recovery_codes(&*self.env.entropy));
        let digests: Vec<_> = codes.0.iter().map(|code| code_digest(id, code)).collect();
        let actor = Actor::operator(&row.name, Channel::Console).map_err(PrincipalsError::Name)?;
        let mut tx = self.env.db.begin("principals::enrol").await?;
        // The deletion decides: of two browsers with one link, one enrols.
        if !operators::accept(&mut tx, &token_digest(token), now).await? {
            return Err(EnrolError::NoInvitation);
        }
        // The code counts as used: it cannot be used to sign in.
        operators::enrol(&mut tx, id, &hash, (&sealed, step), now).await?;
        operators::set_codes(&mut tx, id, &digests).await?;
        let change = Change::of(json!({ "recovery_codes": digests.len() }));
        let entered = ledger::audit(&mut tx, &self.env, &actor, Action::OperatorEnrolled, Some(id), change).await;
        entered.map_err(PrincipalsError::from)?;
        tx.commit().await?;
        Ok(codes)
    }
}
