//! Checkpoints (C2SP tlog-checkpoint): a log's size and root under its origin, as the text of a signed note.

use data_encoding::BASE64;

use super::{
    Hash,
    note::{Note, NoteError, NoteSigner, VerifierKey},
    proof::TreeHead,
    tile::decimal,
};

/// A log's statement about the size and root of its tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's origin: `<host>/ledger/<epoch>`.
    pub origin: String,
    /// Number of leaves.
    pub size: u64,
    /// The root over them.
    pub root: Hash,
}

impl Checkpoint {
    /// Size and root.
    pub const fn head(&self) -> TreeHead {
        TreeHead { size: self.size, root: self.root }
    }

    /// The text to sign.
    pub fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, BASE64.encode(&self.root))
    }

    /// Signs it, under the origin as the key's name.
    pub fn sign(&self, signer: &dyn NoteSigner) -> Result<String, NoteError> {
        // A checkpoint signed under another name would verify for nobody.
        if signer.key().name() != self.origin {
            return Err(NoteError::KeyName(signer.key().name().into()));
        }
        Note::sign(&self.text(), signer)
    }

    /// Adds the signature of another key of the log to its note.
    pub fn cosign(&self, note: String, signer: &dyn NoteSigner) -> Result<String, NoteError> {
        if signer.key().name() != self.origin {
            return Err(NoteError::KeyName(signer.key().name().into()));
        }
        Note::cosign(note, &self.text(), signer)
    }

    /// Parses a checkpoint from a note, which one of the known keys must have signed under the checkpoint's own origin.
    pub fn open(note: &str, known: &[VerifierKey]) -> Result<Self, NoteError> {
        let note = Note::parse(note)?;
        let checkpoint = Self::parse(note.unverified_text())?;
        // Only keys under this origin: a key of another log must not sign for it.
        let own: Vec<_> = known.iter().filter(|key| key.name() == checkpoint.origin).cloned().collect();
        note.verify(&own)?;
        Ok(checkpoint)
    }

    /// Parses the text. Extension lines are refused: this log writes none.
    fn parse(text: &str) -> Result<Self, NoteError> {
        let form = || NoteError::Form("its text is not a checkpoint of three lines");
        let mut lines = text.strip_suffix('\n').ok_or_else(form)?.split('\n');
        let (Some(origin), Some(size), Some(root), None) = (lines.next(), lines.next(), lines.next(), lines.next())
        else {
            return Err(form());
        };
        // Decoded strictly: another spelling of the same root would be another text.
        let root = BASE64.decode(root.as_bytes()).ok().and_then(|root| Hash::try_from(root).ok());
        match (origin.is_empty(), decimal(size), root) {
            (false, Some(size), Some(root)) => Ok(Self { origin: origin.into(), size, root }),
            _ => Err(form()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_text_has_one_form() {
        let checkpoint = Checkpoint { origin: "gateway.example/ledger/1".into(), size: 20_852_163, root: [9; 32] };
        let text = checkpoint.text();
        assert_eq!(Checkpoint::parse(&text).unwrap(), checkpoint);
        for wrong in [
            text.replace("20852163", "020852163"),
            text.replace("20852163", "+20852163"),
            text.replace("20852163", "20852163 "),
            text.replace("20852163", "99999999999999999999"),
            text.replace('=', ""),
            format!("{text}extension\n"),
            text.replace("gateway.example/ledger/1", ""),
            text.trim_end().to_owned(),
        ] {
            assert!(Checkpoint::parse(&wrong).is_err(), "{wrong:?}");
        }
    }
}
