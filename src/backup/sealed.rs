//! An archive encrypted to a key: AES-256-GCM in chunks, so that it is written and read as a stream, and that neither a
//! changed, missing, repeated or exchanged chunk nor a cut-off end passes. docs/BACKUP.md defines the format.

use std::io::{self, Read, Write};

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    hkdf,
};
use zeroize::Zeroizing;

use crate::{config::KeyEncryptionKey, domain::Entropy};

/// The beginning of an encrypted archive; its last byte is the version of this format.
pub(super) const MAGIC: [u8; 9] = *b"MCBACKUP\x01";
const SALT_BYTES: usize = 32;
const HEADER_BYTES: usize = MAGIC.len() + SALT_BYTES;
/// Plaintext of every chunk but the last.
const CHUNK: usize = 64 * 1024;
const TAG_BYTES: usize = 16;

type Header = [u8; HEADER_BYTES];

fn failed() -> io::Error {
    io::Error::other("the cryptographic provider failed")
}

/// The key of one archive: the salt makes it another for each, so that chunk numbers can be nonces.
fn archive_key(key: &KeyEncryptionKey, header: &Header) -> io::Result<LessSafeKey> {
    let salt = header.get(MAGIC.len()..).unwrap_or_default();
    let derived = hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(key.expose());
    let unbound = derived.expand(&[&MAGIC], &AES_256_GCM).map(UnboundKey::from).map_err(|_| failed())?;
    Ok(LessSafeKey::new(unbound))
}

/// Three bytes of zero, a byte that is 1 for the last chunk, and the chunk's number.
fn nonce(number: u64, is_last: bool) -> Nonce {
    let mut bytes = [0; 12];
    bytes[3] = u8::from(is_last);
    bytes[4..].copy_from_slice(&number.to_be_bytes());
    Nonce::assume_unique_for_key(bytes)
}

/// Encrypts what is written to it.
pub(super) struct SealingWriter<W> {
    inner: W,
    key: LessSafeKey,
    header: Header,
    number: u64,
    chunk: Zeroizing<Vec<u8>>,
}

impl<W: Write> SealingWriter<W> {
    pub(super) fn new(mut inner: W, key: &KeyEncryptionKey, entropy: &dyn Entropy) -> io::Result<Self> {
        let mut header = [0; HEADER_BYTES];
        header[..MAGIC.len()].copy_from_slice(&MAGIC);
        entropy.fill(&mut header[MAGIC.len()..]);
        inner.write_all(&header)?;
        // With room for the tag: growing would leave a copy of the plaintext in freed memory.
        let chunk = Zeroizing::new(Vec::with_capacity(CHUNK + TAG_BYTES));
        Ok(Self { key: archive_key(key, &header)?, inner, header, number: 0, chunk })
    }

    fn emit(&mut self, is_last: bool) -> io::Result<()> {
        let nonce = nonce(self.number, is_last);
        self.key.seal_in_place_append_tag(nonce, Aad::from(self.header), &mut *self.chunk).map_err(|_| failed())?;
        self.inner.write_all(&self.chunk)?;
        self.chunk.clear();
        self.number += 1;
        Ok(())
    }

    /// Writes the last chunk. Without it the archive does not open.
    pub(super) fn finish(mut self) -> io::Result<W> {
        self.emit(true)?;
        Ok(self.inner)
    }
}

impl<W: Write> Write for SealingWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Only now: a full chunk may turn out to be the last.
        if self.chunk.len() == CHUNK && !bytes.is_empty() {
            self.emit(false)?;
        }
        let taken = bytes.len().min(CHUNK - self.chunk.len());
        self.chunk.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Decrypts what is read through it.
pub(super) struct OpeningReader<R> {
    inner: R,
    key: LessSafeKey,
    header: Header,
    number: u64,
    /// The next chunk as it is in the file: it is the last if none follows.
    next: Vec<u8>,
    plain: Zeroizing<Vec<u8>>,
    at: usize,
    is_done: bool,
}

fn refused() -> io::Error {
    let what = "it was changed or cut off, or is encrypted to a key that is not in the key file";
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// Reads a chunk as it is in the file, or what is left of it.
fn read_chunk(inner: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut chunk = Vec::with_capacity(CHUNK + TAG_BYTES);
    inner.take((CHUNK + TAG_BYTES) as u64).read_to_end(&mut chunk)?;
    Ok(chunk)
}

impl<R: Read> OpeningReader<R> {
    /// Opens an archive with the key that fits its first chunk.
    pub(super) fn new(mut inner: R, keys: &[KeyEncryptionKey]) -> io::Result<Self> {
        let mut header = [0; HEADER_BYTES];
        inner.read_exact(&mut header)?;
        let first = read_chunk(&mut inner)?;
        let next = read_chunk(&mut inner)?;
        for key in keys {
            let key = archive_key(key, &header)?;
            let mut plain = Zeroizing::new(first.clone());
            if open(&key, &header, (0, next.is_empty()), &mut plain).is_ok() {
                let is_done = next.is_empty();
                return Ok(Self { inner, key, header, number: 1, next, plain, at: 0, is_done });
            }
        }
        Err(refused())
    }

    fn advance(&mut self) -> io::Result<()> {
        let after = read_chunk(&mut self.inner)?;
        *self.plain = std::mem::replace(&mut self.next, after);
        self.is_done = self.next.is_empty();
        open(&self.key, &self.header, (self.number, self.is_done), &mut self.plain)?;
        (self.number, self.at) = (self.number + 1, 0);
        Ok(())
    }
}

fn open(key: &LessSafeKey, header: &Header, (number, is_last): (u64, bool), chunk: &mut Vec<u8>) -> io::Result<()> {
    let plain = key.open_in_place(nonce(number, is_last), Aad::from(*header), chunk).map_err(|_| refused())?;
    let length = plain.len();
    chunk.truncate(length);
    Ok(())
}

impl<R: Read> Read for OpeningReader<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.at == self.plain.len() && !self.is_done {
            self.advance()?;
        }
        let rest = self.plain.get(self.at..).unwrap_or_default();
        let taken = rest.len().min(into.len());
        into[..taken].copy_from_slice(&rest[..taken]);
        self.at += taken;
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::SeededEntropy;

    fn key(byte: u8) -> KeyEncryptionKey {
        KeyEncryptionKey::new([byte; 32])
    }

    fn sealed(plain: &[u8]) -> Vec<u8> {
        let mut writer = SealingWriter::new(Vec::new(), &key(1), &*SeededEntropy::new(1)).unwrap();
        writer.write_all(plain).unwrap();
        writer.finish().unwrap()
    }

    fn opened(sealed: &[u8], keys: &[KeyEncryptionKey]) -> io::Result<Vec<u8>> {
        let mut plain = Vec::new();
        OpeningReader::new(sealed, keys)?.read_to_end(&mut plain)?;
        Ok(plain)
    }

    #[test]
    fn what_is_sealed_opens_with_any_key_of_the_list() {
        for length in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 3 * CHUNK + 5] {
            let plain: Vec<u8> = (0..length).map(|at| u8::try_from(at % 251).unwrap()).collect();
            let sealed = sealed(&plain);
            assert!(sealed.starts_with(&MAGIC));
            assert!(opened(&sealed, &[key(2), key(1)]).unwrap() == plain, "{length}");
            assert!(opened(&sealed, &[key(2)]).is_err());
        }
    }

    #[test]
    fn a_changed_cut_or_reordered_archive_does_not_open() {
        let sealed = sealed(&vec![7; 3 * CHUNK + 5]);
        let (whole, keys) = (CHUNK + TAG_BYTES, [key(1)]);
        for at in [0, MAGIC.len(), HEADER_BYTES, HEADER_BYTES + whole, sealed.len() - 1] {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(opened(&changed, &keys).is_err(), "byte {at}");
        }
        for length in
            [0, HEADER_BYTES, HEADER_BYTES + 5, HEADER_BYTES + whole, HEADER_BYTES + 3 * whole, sealed.len() - 1]
        {
            assert!(opened(&sealed[..length], &keys).is_err(), "{length} bytes");
        }
        let mut exchanged = sealed.clone();
        let (first, second) = exchanged[HEADER_BYTES..].split_at_mut(whole);
        first.swap_with_slice(&mut second[..whole]);
        assert!(opened(&exchanged, &keys).is_err());
        let longer = [&sealed[..], b"x"].concat();
        assert!(opened(&longer, &keys).is_err());
    }
}
