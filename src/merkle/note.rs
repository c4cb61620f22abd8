//! Signed notes (C2SP signed-note) with Ed25519 signatures.

use std::{fmt, str::FromStr};

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use data_encoding::{BASE64, HEXLOWER};

use super::sha256;

/// The signature type of plain Ed25519.
const ED25519_TYPE: u8 = 1;
/// Longer notes are refused without parsing.
const MAX_NOTE_BYTES: usize = 64 * 1024;

/// Why a note or a key was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// The text is not a signed note.
    #[error("not a signed note: {0}")]
    Form(&'static str),
    /// The name is not a valid key name.
    #[error("{0:?} cannot name a key: it is empty, or has a space or a plus sign")]
    KeyName(String),
    /// The text is not a verifier key.
    #[error("not a verifier key of the form name+id+key")]
    Key,
    /// No known key signed it.
    #[error("no signature by a known key")]
    UnknownKey,
    /// A signature line of a known key does not verify.
    #[error("the signature of key {0} does not fit")]
    Signature(String),
    /// The signer failed.
    #[error("the signer failed: {0}")]
    Signer(String),
}

/// The public half of a key under its name.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    id: [u8; 4],
    public: [u8; 32],
}

impl fmt::Debug for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifierKey({self})")
    }
}

impl VerifierKey {
    /// The key `public` under a name, which for a log is its origin.
    pub fn new(name: &str, public: [u8; 32]) -> Result<Self, NoteError> {
        if name.is_empty() || name.chars().any(|c| c.is_whitespace() || c.is_control() || c == '+') {
            return Err(NoteError::KeyName(name.into()));
        }
        let hash = sha256(&[name.as_bytes(), b"\n", &[ED25519_TYPE], &public]);
        // A SHA-256 has more than four bytes, so the default is not reached.
        let id = hash.first_chunk::<4>().copied().unwrap_or_default();
        Ok(Self { name: name.into(), id, public })
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The public key's 32 bytes.
    pub const fn public(&self) -> &[u8; 32] {
        &self.public
    }

    /// The key id in hex.
    pub fn id(&self) -> String {
        HEXLOWER.encode(&self.id)
    }

    fn verify(&self, text: &str, signature: &[u8]) -> Result<(), NoteError> {
        // Parsed at each use: checkpoints are verified seldom.
        UnparsedPublicKey::new(&ED25519, &self.public)
            .verify(text.as_bytes(), signature)
            .map_err(|_| NoteError::Signature(format!("{}+{}", self.name, self.id())))
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = BASE64.encode(&[&[ED25519_TYPE], self.public.as_slice()].concat());
        write!(f, "{}+{}+{key}", self.name, self.id())
    }
}

impl FromStr for VerifierKey {
    type Err = NoteError;

    fn from_str(text: &str) -> Result<Self, NoteError> {
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(NoteError::Key);
        };
        let bytes = BASE64.decode(key.as_bytes()).map_err(|_| NoteError::Key)?;
        let public = match bytes.split_first() {
            Some((&ED25519_TYPE, public)) => public.try_into().map_err(|_| NoteError::Key)?,
            _ => return Err(NoteError::Key),
        };
        let key = Self::new(name, public)?;
        // A wrong id means that the key was copied incorrectly.
        if key.id() == id { Ok(key) } else { Err(NoteError::Key) }
    }
}

/// Signs notes with a private key that the caller never sees.
pub trait NoteSigner: fmt::Debug + Send + Sync {
    /// The public key with the name it signs under.
    fn key(&self) -> &VerifierKey;

    /// The Ed25519 signature of a text.
    fn sign(&self, text: &[u8]) -> Result<[u8; 64], NoteError>;
}

/// A note: a text and its signature lines. The text is not trustworthy before [`Note::verify`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<(String, [u8; 4], Vec<u8>)>,
}

impl Note {
    /// Signs a text, which ends in a newline, and returns the whole note.
    pub fn sign(text: &str, signer: &dyn NoteSigner) -> Result<String, NoteError> {
        if !text.ends_with('\n') || text.chars().any(|c| c != '\n' && c.is_control()) {
            return Err(NoteError::Form("the text does not end in a newline, or has a control character"));
        }
        Ok(format!("{text}\n{}", new_line(text, signer)?))
    }

    /// Adds the signature of another key to a note with this text.
    pub fn cosign(note: String, text: &str, signer: &dyn NoteSigner) -> Result<String, NoteError> {
        if Self::parse(&note)?.text != text {
            return Err(NoteError::Form("it has another text than the one to sign"));
        }
        Ok(note + &new_line(text, signer)?)
    }

    /// Parses a note without verifying it.
    pub fn parse(note: &str) -> Result<Self, NoteError> {
        if note.len() > MAX_NOTE_BYTES {
            return Err(NoteError::Form("it is too long"));
        }
        // Compared with a space and not by category: the text may contain characters of any script.
        if note.chars().any(|c| c < ' ' && c != '\n') {
            return Err(NoteError::Form("it has a control character"));
        }
        // The last empty line separates the text from the signatures.
        let (text, lines) = note.rsplit_once("\n\n").ok_or(NoteError::Form("it has no empty line"))?;
        let lines = lines.strip_suffix('\n').ok_or(NoteError::Form("its last line has no end"))?;
        let signatures = lines.split('\n').map(signature_line).collect::<Option<Vec<_>>>();
        let signatures = signatures.ok_or(NoteError::Form("a signature line is malformed"))?;
        Ok(Self { text: format!("{text}\n"), signatures })
    }

    /// The text, if a known key signed it and no known key's signature fails.
    pub fn verify(&self, known: &[VerifierKey]) -> Result<&str, NoteError> {
        let mut verified = false;
        for (name, id, signature) in &self.signatures {
            // All of them: the id has four bytes, so two keys of one name may share it.
            for key in known.iter().filter(|key| key.name == *name && key.id == *id) {
                // One bad signature of a known key refuses the note, also beside a good one: somebody changed it.
                key.verify(&self.text, signature)?;
                verified = true;
            }
        }
        if verified { Ok(&self.text) } else { Err(NoteError::UnknownKey) }
    }

    /// The text before it is verified.
    pub fn unverified_text(&self) -> &str {
        &self.text
    }
}

/// Signs a text, and returns the line of the signature.
fn new_line(text: &str, signer: &dyn NoteSigner) -> Result<String, NoteError> {
    let key = signer.key();
    let signature = signer.sign(text.as_bytes())?;
    // A signer whose private key does not match its public key must not publish anything.
    key.verify(text, &signature)?;
    let line = BASE64.encode(&[key.id.as_slice(), signature.as_slice()].concat());
    Ok(format!("\u{2014} {} {line}\n", key.name))
}

fn signature_line(line: &str) -> Option<(String, [u8; 4], Vec<u8>)> {
    let (name, signature) = line.strip_prefix("\u{2014} ")?.split_once(' ')?;
    let bytes = BASE64.decode(signature.as_bytes()).ok()?;
    let (id, signature) = bytes.split_first_chunk::<4>()?;
    let named = !name.is_empty() && !name.chars().any(|c| c.is_whitespace() || c == '+');
    (named && !signature.is_empty()).then(|| (name.to_owned(), *id, signature.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The example of the C2SP signed-note specification, which gives no key for it: it must parse.
    const EXAMPLE: &str = "Ognuno sta solo sul cuor della terra\ntrafitto da un raggio di sole:\n\ned è subito sera.\n\n\
        \u{2014} quasimodo.example/salvatore NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=\n";

    #[test]
    fn a_note_whose_text_has_empty_lines_is_parted_at_the_last() {
        let note = Note::parse(EXAMPLE).unwrap();
        assert!(note.unverified_text().ends_with("ed è subito sera.\n"));
        assert_eq!(note.verify(&[]), Err(NoteError::UnknownKey));
    }

    #[test]
    fn what_is_not_a_note_is_refused() {
        for (text, why) in [
            ("", "nothing"),
            ("text\n", "no signatures"),
            ("text\n\n", "no signature line"),
            ("text\n\n\u{2014} name AAAAAAA=", "no newline at the end"),
            ("text\n\n- name AAAAAAA=\n", "a hyphen is no dash"),
            ("text\n\n\u{2014} na+me AAAAAAA=\n", "a plus sign in the name"),
            ("text\n\n\u{2014} name AAAA\n", "too short for a key id and a signature"),
            ("te\rxt\n\n\u{2014} name AAAAAAA=\n", "a carriage return"),
        ] {
            assert!(matches!(Note::parse(text), Err(NoteError::Form(_))), "{why}");
        }
    }

    #[test]
    fn a_verifier_key_round_trips_and_a_miscopied_one_is_refused() {
        let key = VerifierKey::new("gateway.example/ledger/1", [7; 32]).unwrap();
        let text = key.to_string();
        assert_eq!(text.parse::<VerifierKey>().unwrap(), key);
        assert!(text.replace("ledger/1", "ledger/2").parse::<VerifierKey>().is_err());
        assert!(VerifierKey::new("two words", [0; 32]).is_err());
        assert!(VerifierKey::new("", [0; 32]).is_err());
    }

    proptest! {
        #[test]
        fn no_text_upsets_the_readers(text in "[\u{2014} a-c+=\n]{0,40}") {
            drop(Note::parse(&text));
            drop(text.parse::<VerifierKey>());
        }
    }
}
