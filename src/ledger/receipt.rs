//! The receipt in each answer: a promise that a checkpoint will cover the entry (docs/LEDGER.md section 6).

use data_encoding::BASE64;
use http::{HeaderName, HeaderValue};
use sfv::{BareItem, DictSerializer, Dictionary, KeyRef, ListEntry, Parser, StringRef};

use crate::{
    domain::{Malformed, Timestamp},
    merkle::Hash,
};

/// The name of the header field.
pub const RECEIPT_HEADER: HeaderName = HeaderName::from_static("medcredit-disclosure");

/// The value of the header field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The disclosure's id.
    pub id: String,
    /// The leaf its entry will have in the tree.
    pub leaf: Hash,
    pub log: String,
    /// The latest time at which a checkpoint covers the entry: whole seconds.
    pub by: Timestamp,
}

impl Receipt {
    /// The header field's value, an RFC 9651 dictionary.
    pub fn to_header(&self) -> Result<HeaderValue, Malformed> {
        let wrong =
            || Malformed("the id and log of a receipt must be ASCII, and its time in the range of RFC 9651".into());
        let string = |text| StringRef::from_str(text).map_err(|_| wrong());
        let by = sfv::Date::from_unix_seconds(sfv::Integer::try_from(self.by.seconds()).map_err(|_| wrong())?);
        // The names are constants that fit the grammar.
        let key = |name: &'static str| KeyRef::from_str(name).map_err(|_| wrong());
        let mut dictionary = DictSerializer::new();
        dictionary.bare_item(key("id")?, string(&self.id)?);
        dictionary.bare_item(key("leaf")?, self.leaf.as_slice());
        dictionary.bare_item(key("log")?, string(&self.log)?);
        dictionary.bare_item(key("by")?, by);
        dictionary.finish().and_then(|text| HeaderValue::try_from(text).ok()).ok_or_else(wrong)
    }

    /// Parses the header field's value. Unknown members are ignored.
    pub fn parse(value: &str) -> Result<Self, Malformed> {
        let wrong = |what: &str| Malformed(format!("the receipt has no {what} of the right form"));
        let dictionary: Dictionary = Parser::new(value).parse().map_err(|_| wrong("dictionary"))?;
        let item = |name: &str| match dictionary.get(name) {
            Some(ListEntry::Item(item)) => Some(&item.bare_item),
            _ => None,
        };
        let text = |name: &str| match item(name) {
            Some(BareItem::String(text)) => Ok(text.as_str().to_owned()),
            _ => Err(wrong(name)),
        };
        let leaf = match item("leaf") {
            Some(BareItem::ByteSequence(bytes)) => Hash::try_from(bytes.as_slice()).ok(),
            _ => None,
        };
        let by = match item("by") {
            Some(BareItem::Date(date)) => Timestamp::from_seconds(i64::from(date.unix_seconds())),
            _ => return Err(wrong("by")),
        };
        Ok(Self { id: text("id")?, leaf: leaf.ok_or_else(|| wrong("leaf"))?, log: text("log")?, by })
    }

    /// The leaf in base64, as in the JSON of a proof.
    pub fn leaf_base64(&self) -> String {
        BASE64.encode(&self.leaf)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_round_trips_and_unknown_members_are_ignored() {
        let receipt = Receipt {
            id: "dis_06fzgvc5pqyd2m8s4tbn0xke71".into(),
            leaf: [7; 32],
            log: "gateway.example/ledger/1".into(),
            by: Timestamp::from_seconds(1_774_972_860),
        };
        let header = receipt.to_header().unwrap();
        let text = header.to_str().unwrap();
        assert_eq!(Receipt::parse(text).unwrap(), receipt);
        assert_eq!(Receipt::parse(&format!("{text}, new=?1")).unwrap(), receipt);
        for wrong in [
            text.replace("leaf=:", "leaf=:AAAA"),
            text.replace("by=@", "by="),
            text.replace("id=", "ID="),
            text.replace("log=", "gol="),
            String::new(),
        ] {
            assert!(Receipt::parse(&wrong).is_err(), "{wrong}");
        }
    }
}
