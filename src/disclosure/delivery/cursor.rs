//! Where the next page of a delivery begins.

use aws_lc_rs::digest;
use data_encoding::BASE64URL_NOPAD;

use super::Delivery;
use crate::domain::{
    Failure,
    ids::{ClientId, ConsentId},
};

/// Bytes of the tag: enough that no cursor is valid for another delivery by chance.
const TAG_BYTES: usize = 10;

/// The cursor after a consent: its id, and a tag over the delivery it belongs to.
///
/// The tag is against mistakes and not against malice. A client that forges a cursor only starts elsewhere in the list of
/// its own consents, which it may read anyway.
pub(super) fn write(client: ClientId, delivery: &Delivery, last: ConsentId) -> String {
    let id = last.to_string();
    let mut bytes = id.clone().into_bytes();
    bytes.extend_from_slice(&tag(client, delivery, &id));
    BASE64URL_NOPAD.encode(&bytes)
}

/// The consent before the cursor. A cursor of another bank, month, purpose or choice of parts is refused like nonsense.
pub(super) fn read(client: ClientId, delivery: &Delivery, cursor: &str) -> Result<ConsentId, Failure> {
    let found = || {
        let bytes = BASE64URL_NOPAD.decode(cursor.as_bytes()).ok()?;
        let (id, tagged) = bytes.split_at_checked(bytes.len().checked_sub(TAG_BYTES)?)?;
        let id = std::str::from_utf8(id).ok()?;
        // Not in constant time: the tag is no secret.
        (tag(client, delivery, id) == tagged).then(|| id.parse().ok())?
    };
    found().ok_or_else(|| {
        Failure::invalid(
            "after",
            "invalid_cursor",
            "Send the `next` of a page of the same delivery: same bank, month, purpose and parts.",
        )
    })
}

fn tag(client: ClientId, delivery: &Delivery, id: &str) -> [u8; TAG_BYTES] {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(b"medcredit-delivery-cursor-v1");
    let parts = delivery.what.iter().map(|part| part.as_str()).collect::<Vec<_>>().join(",");
    for text in [&client.to_string(), &delivery.month.to_string(), delivery.purpose.as_str(), &parts, id] {
        // A byte that none of the parts contains: no two deliveries hash the same input.
        context.update(b"\0");
        context.update(text.as_bytes());
    }
    let mut out = [0; TAG_BYTES];
    out.copy_from_slice(&context.finish().as_ref()[..TAG_BYTES]);
    out
}

#[cfg(test)]
mod tests {
    use super::{super::DeliveryPart, *};
    use crate::domain::{Clock, Entropy, ManualClock, SeededEntropy, Timestamp, permission::Purpose};

    #[test]
    fn a_cursor_is_valid_for_its_own_delivery_only() {
        let clock = ManualClock::new(Timestamp::from_seconds(1_780_000_000));
        let entropy = SeededEntropy::new(1);
        let (clock, entropy): (&dyn Clock, &dyn Entropy) = (&*clock, &*entropy);
        let (bank, other) = (ClientId::new(clock, entropy), ClientId::new(clock, entropy));
        let last = ConsentId::new(clock, entropy);
        let delivery = |month: &str, purpose, what: &[DeliveryPart]| Delivery {
            month: month.parse().unwrap(),
            purpose,
            what: what.to_vec(),
            after: None,
        };
        let own = delivery("2026-03", Purpose::PostLoanManagement, DeliveryPart::ALL);
        let cursor = write(bank, &own, last);
        assert_eq!(read(bank, &own, &cursor).unwrap(), last);
        assert!(!cursor.contains("con_"), "it is opaque");
        assert!(read(other, &own, &cursor).is_err());
        for foreign in [
            delivery("2026-02", Purpose::PostLoanManagement, DeliveryPart::ALL),
            delivery("2026-03", Purpose::LoanApproval, DeliveryPart::ALL),
            delivery("2026-03", Purpose::PostLoanManagement, &[DeliveryPart::Grade]),
        ] {
            assert!(read(bank, &foreign, &cursor).is_err());
        }
        for nonsense in ["", "con_1", &last.to_string(), &cursor[1..], &format!("{cursor}AA"), "é"] {
            assert_eq!(read(bank, &own, nonsense).unwrap_err().code, "invalid_cursor", "{nonsense}");
        }
    }
}
