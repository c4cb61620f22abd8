//! The personal parts of a subject's row: sealed as one value bound to the row, and searchable by keyed hashes.
//!
//! The certificate, the legal representative's name and a natural person's name are sealed, as one value a row and not one a
//! field: they are opened and changed together. The row also has keyed hashes, each under a key of its own for its column,
//! so that a subject can be found by an exact value. Two rows with the same name have the same hash: a reader of the table
//! learns that they are equal, and not what they are.
//!
//! After a rotation of the key-encryption key, the new key seals and hashes. The old key still opens, and searches also use
//! its hashes, until every row is sealed again.

use std::{borrow::Cow, fmt};

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use super::{Crypter, CrypterError, DbError, SealContext};
use crate::domain::names::comparable;

/// A column by whose keyed hash subjects are found. Each has a key of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlindColumn {
    /// A natural person's name.
    Name,
    IdNumber,
    /// The legal representative's name.
    Representative,
}

impl BlindColumn {
    /// The purpose that its key is derived for.
    const fn purpose(self) -> &'static str {
        match self {
            Self::Name => "subjects.name_index",
            Self::IdNumber => "subjects.id_number_index",
            Self::Representative => "subjects.representative_index",
        }
    }

    /// A value as it is hashed: names without what people do not write on purpose.
    fn comparable(self, value: &str) -> Cow<'_, str> {
        match self {
            Self::Name | Self::Representative => comparable(value),
            Self::IdNumber => Cow::Borrowed(value),
        }
    }

    /// The keyed hash under the sealing key.
    fn hash(self, crypter: &Crypter, value: &str) -> Result<[u8; 32], CrypterError> {
        crypter.blind(self.purpose(), self.comparable(value).as_bytes())
    }

    /// The keyed hashes of a value under every key. Names were once hashed as they were written: that hash is among them.
    pub fn hashes(self, crypter: &Crypter, value: &str) -> Result<Vec<[u8; 32]>, CrypterError> {
        let compared = self.comparable(value);
        let mut hashes = crypter.blinds(self.purpose(), compared.as_bytes())?;
        if compared != value {
            hashes.extend(crypter.blinds(self.purpose(), value.as_bytes())?);
        }
        Ok(hashes)
    }
}

/// The context that a subject's personal parts are sealed for.
pub const fn seal_context(code: &str) -> SealContext<'_> {
    SealContext { table: "subjects", row: code, column: "sealed_identity" }
}

/// The personal parts of a subject.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Personal {
    /// The kind of certificate: two digits of the national table.
    pub id_type: Option<String>,
    /// The certificate's number: the person's own, or the legal representative's.
    pub id_number: Option<String>,
    /// The legal representative's name.
    pub legal_representative: Option<String>,
    /// A natural person's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl fmt::Debug for Personal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // It names a person (I8).
        f.write_str("Personal(withheld)")
    }
}

impl Drop for Personal {
    fn drop(&mut self) {
        // Wiped, so that freed memory holds no names and numbers of persons.
        for part in [&mut self.id_type, &mut self.id_number, &mut self.legal_representative, &mut self.name] {
            part.zeroize();
        }
    }
}

/// Sealed parts and keyed hashes of a row, each as hex.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedParts {
    /// All of them, sealed.
    pub identity: Option<String>,
    /// The keyed hash of a natural person's name.
    pub name_index: Option<String>,
    /// The keyed hash of the certificate's number.
    pub id_number_index: Option<String>,
    /// The keyed hash of the legal representative's name.
    pub representative_index: Option<String>,
}

impl Personal {
    /// Seals the parts for a subject's row and computes its keyed hashes.
    pub fn seal(&self, crypter: &Crypter, code: &str) -> Result<SealedParts, PersonalError> {
        let index = |column: BlindColumn, value: &Option<String>| -> Result<Option<String>, CrypterError> {
            value.as_deref().map(|value| column.hash(crypter, value).map(|hash| HEXLOWER.encode(&hash))).transpose()
        };
        // A number never comes without its type, so it needs no check of its own.
        if self.name.is_none() && self.id_type.is_none() && self.legal_representative.is_none() {
            return Ok(SealedParts::default());
        }
        let plain = Zeroizing::new(serde_json::to_vec(self).map_err(|_| PersonalError::Form)?);
        Ok(SealedParts {
            identity: Some(HEXLOWER.encode(&crypter.seal(seal_context(code), &plain)?)),
            name_index: index(BlindColumn::Name, &self.name)?,
            id_number_index: index(BlindColumn::IdNumber, &self.id_number)?,
            representative_index: index(BlindColumn::Representative, &self.legal_representative)?,
        })
    }

    /// Opens the sealed parts of a subject's row.
    pub fn open(crypter: &Crypter, code: &str, sealed: &[u8]) -> Result<Self, PersonalError> {
        let plain = crypter.open(seal_context(code), sealed)?;
        serde_json::from_slice(&plain).map_err(|_| PersonalError::Form)
    }

    /// The parts of a row; empty when nothing is sealed.
    pub fn of(crypter: &Crypter, code: &str, sealed: Option<&[u8]>) -> Result<Self, PersonalError> {
        sealed.map_or_else(|| Ok(Self::default()), |sealed| Self::open(crypter, code, sealed))
    }
}

/// Why personal parts could not be sealed or opened. The text contains nothing of them.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum PersonalError {
    /// Sealing or opening failed.
    #[error(transparent)]
    Crypter(#[from] CrypterError),
    /// The opened value has another form.
    #[error("the personal parts of a subject are not of the form they are sealed in")]
    Form,
}

impl From<PersonalError> for DbError {
    fn from(error: PersonalError) -> Self {
        Self::corrupt("subjects", error.to_string())
    }
}

/// The first six and the last four characters of a number, the rest starred (JR/T 0171); a short number is all stars.
pub fn masked_number(number: &str) -> String {
    let length = number.chars().count();
    // Six and four characters of a short number would be most of it.
    if length < 12 {
        return "*".repeat(length);
    }
    number.chars().enumerate().map(|(at, c)| if at < 6 || at + 4 >= length { c } else { '*' }).collect()
}

/// A name's first character, the rest starred.
pub fn masked_name(name: &str) -> String {
    name.chars().enumerate().map(|(at, c)| if at == 0 { c } else { '*' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crypter(keys: &[u8]) -> Crypter {
        let keys: Vec<[u8; 32]> = keys.iter().map(|fill| [*fill; 32]).collect();
        Crypter::from_bytes(keys.iter()).unwrap()
    }

    fn person() -> Personal {
        Personal {
            id_type: Some("01".into()),
            id_number: Some("330302198001010019".into()),
            legal_representative: None,
            name: Some("合成医师".into()),
        }
    }

    fn bytes(hex: Option<&String>) -> Vec<u8> {
        HEXLOWER.decode(hex.unwrap().as_bytes()).unwrap()
    }

    #[test]
    fn what_is_sealed_for_a_row_opens_there_and_nowhere_else() {
        let crypter = crypter(&[1]);
        let sealed = bytes(person().seal(&crypter, "D330302000123").unwrap().identity.as_ref());
        assert_eq!(Personal::open(&crypter, "D330302000123", &sealed).unwrap(), person());
        let moved = Personal::open(&crypter, "D330302000124", &sealed).unwrap_err();
        assert!(matches!(moved, PersonalError::Crypter(CrypterError::Refused { .. })));
        assert!(!format!("{:?}", person()).contains("合成"));
    }

    #[test]
    fn a_hash_is_of_one_column_and_found_under_old_keys_too() {
        let old = crypter(&[1]);
        let mut same = person();
        same.legal_representative = Some("合成医师".into());
        let parts = same.seal(&old, "H33030200090").unwrap();
        assert_ne!(parts.name_index, parts.representative_index, "each column has a key of its own");
        let rolled = crypter(&[2, 1]);
        let searched = BlindColumn::Name.hashes(&rolled, "合成医师").unwrap();
        assert!(searched.iter().any(|hash| hash.as_slice() == bytes(parts.name_index.as_ref())));
        let resealed = same.seal(&rolled, "H33030200090").unwrap();
        assert_ne!(resealed.name_index, parts.name_index, "the new key hashes resealed parts");
        let without = BlindColumn::Name.hashes(&crypter(&[2]), "合成医师").unwrap();
        assert!(without.iter().any(|hash| hash.as_slice() == bytes(resealed.name_index.as_ref())));
    }

    #[test]
    fn a_row_without_personal_parts_has_nothing_sealed_and_old_rows_have_no_name() {
        let crypter = crypter(&[1]);
        assert_eq!(Personal::default().seal(&crypter, "H33030200090").unwrap(), SealedParts::default());
        let old = br#"{"id_type":"01","id_number":"330302198001010019","legal_representative":null}"#;
        let sealed = crypter.seal(seal_context("H33030200090"), old).unwrap();
        assert_eq!(Personal::open(&crypter, "H33030200090", &sealed).unwrap().name, None);
        let sealed = crypter.seal(seal_context("H33030200090"), b"[]").unwrap();
        assert_eq!(Personal::open(&crypter, "H33030200090", &sealed).unwrap_err(), PersonalError::Form);
    }

    #[test]
    fn a_name_is_found_however_its_spaces_and_dots_are_written() {
        let crypter = crypter(&[1]);
        for written in ["张三", "张\u{3000}三", "张 三", "张三 "] {
            let mut person = person();
            person.name = Some(written.into());
            let parts = person.seal(&crypter, "D330302000123").unwrap();
            for searched in ["张三", " 张三", "张\u{A0}三"] {
                let hashes = BlindColumn::Name.hashes(&crypter, searched).unwrap();
                assert_eq!(hashes[0].as_slice(), bytes(parts.name_index.as_ref()), "{written:?} {searched:?}");
            }
        }
        // As rows were hashed before names were compared so.
        let former = crypter.blind(BlindColumn::Name.purpose(), "张\u{3000}三".as_bytes()).unwrap();
        assert!(BlindColumn::Name.hashes(&crypter, "张\u{3000}三").unwrap().contains(&former));
    }

    #[test]
    fn masks_leave_six_and_four_and_one() {
        assert_eq!(masked_number("330302198001010019"), "330302********0019");
        assert_eq!(masked_number("E12345678"), "*********");
        assert_eq!((masked_name("合成医师").as_str(), masked_name("").as_str()), ("合***", ""));
    }
}
