//! The verification of a consent's receipt: a compact JWS (RFC 7515) by the gateway's answer key.

use anyhow::{Context as _, ensure};
use data_encoding::BASE64URL_NOPAD;
use serde_json::Value;

use super::keys::GatewayKeys;
use crate::{
    authority::Purpose,
    consent::RECEIPT_TYPE,
    identity::{PublicKey, Suite, Verifier as _},
};

/// Verifies a receipt's signature and type, and returns its record and the key that signed it.
pub(super) fn verify_receipt<'a>(jws: &[u8], keys: &'a GatewayKeys) -> anyhow::Result<(Value, &'a PublicKey)> {
    let text = std::str::from_utf8(jws).context("the receipt is not text")?.trim();
    let (message, signature) = text.rsplit_once('.').context("the receipt is not a compact JWS")?;
    let (header, claims) = message.split_once('.').context("the receipt is not a compact JWS")?;
    let part = |text: &str| BASE64URL_NOPAD.decode(text.as_bytes()).context("the receipt is not base64url");
    let header: Value = serde_json::from_slice(&part(header)?).context("the receipt's header")?;
    let named = |name: &str| header.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    ensure!(named("typ") == RECEIPT_TYPE, "it is not a consent receipt: its type is {:?}", named("typ"));
    let key = keys.find(Purpose::AnswerSigning, |id| id == named("kid"));
    let key = key.map_err(|why| anyhow::anyhow!("the receipt does not verify: {why}"))?;
    // The receipt's own header must not choose how it is verified (K5).
    ensure!(
        key.suite() == Suite::Es256 && named("alg") == "ES256",
        "the receipt does not verify: its algorithm is not ES256"
    );
    key.verify(message.as_bytes(), &part(signature)?).context("the receipt does not verify")?;
    Ok((serde_json::from_slice(&part(claims)?).context("the receipt's record")?, key))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::identity::{Jwk, KeyPair, Signer as _};

    fn pair() -> KeyPair {
        KeyPair::from_pkcs8(Suite::Es256, &KeyPair::generate(Suite::Es256).unwrap()).unwrap()
    }

    fn receipt(key: &KeyPair) -> String {
        let part = |value: Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
        let header = part(json!({ "alg": "ES256", "kid": key.key_id(), "typ": RECEIPT_TYPE }));
        let message = format!("{header}.{}", part(json!({ "record_id": "con_1" })));
        format!("{message}.{}", BASE64URL_NOPAD.encode(&key.sign(message.as_bytes()).unwrap()))
    }

    fn published(key: &KeyPair, purpose: Option<&str>) -> GatewayKeys {
        let jwk = Jwk { purpose: purpose.map(str::to_owned), ..key.public_key().jwk() };
        GatewayKeys::of_jwks([jwk])
    }

    #[test]
    fn a_receipt_by_a_key_for_something_else_is_refused() {
        // Somebody who has the gateway's token key, which signs the same kind of JWS.
        let key = pair();
        let text = receipt(&key);
        verify_receipt(text.as_bytes(), &published(&key, Some("answer_signing"))).unwrap();
        for (keys, says) in [
            (published(&key, Some("token_signing")), "is the gateway's for token_signing"),
            (published(&key, Some("ledger_signing")), "is the gateway's for ledger_signing"),
            (published(&key, None), "does not say what key"),
            (published(&pair(), Some("answer_signing")), "none of the given keys"),
        ] {
            let error = verify_receipt(text.as_bytes(), &keys).unwrap_err().to_string();
            assert!(error.contains("the receipt does not verify") && error.contains(says), "{error}");
        }
    }
}
