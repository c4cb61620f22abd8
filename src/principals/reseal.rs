//! Seals the secrets of operators under the present key-encryption key.

use serde_json::json;

use super::{
    PrincipalsError,
    totp::{invitation_context, totp_context},
};
use crate::{
    domain::Actor,
    ledger::{self, Action, Change},
    store::{Crypter, Env, operators},
};

/// Seals the secrets that another key sealed again, and returns how many there were. There are as many as operators, so one
/// transaction suffices.
pub async fn reseal_operators(env: &Env, actor: &Actor, crypter: &Crypter) -> Result<usize, PrincipalsError> {
    let mut tx = env.db.begin("principals::reseal").await?;
    let rows = operators::sealed(&mut tx).await?;
    let mut resealed = 0;
    for row in rows.iter().filter(|row| crypter.is_outdated(&row.sealed_totp)) {
        let context = match row.kind.as_str() {
            "operators" => totp_context(&row.operator_id),
            _ => invitation_context(&row.operator_id),
        };
        let plain = crypter.open(context, &row.sealed_totp)?;
        operators::reseal(&mut tx, row, &crypter.seal(context, &plain)?).await?;
        resealed += 1;
    }
    if resealed > 0 {
        let change = Change::of(json!({ "secrets": resealed }));
        ledger::audit(&mut tx, env, actor, Action::OperatorsResealed, None, change).await?;
        tx.commit().await?;
    }
    Ok(resealed)
}
