//! Which documents a chunk has: a sorted list of hashes, so that an import finds what was delivered before without decoding
//! the facts of others. A hash only points at facts to compare: two documents with one hash are distinguished there.

/// The hash of a document of a subject's measure. It is stored, so it never changes.
pub fn document_hash(code: &str, measure: &str, document: &str) -> u64 {
    // FNV-1a. Between the texts is a byte that no text has, so that none can pass into the next.
    let bytes = [code.as_bytes(), b"\xff", measure.as_bytes(), b"\xff", document.as_bytes()];
    bytes
        .into_iter()
        .flatten()
        .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

/// The stored form of hashes.
pub fn encode_documents(mut hashes: Vec<u64>) -> Vec<u8> {
    hashes.sort_unstable();
    hashes.dedup();
    hashes.into_iter().flat_map(u64::to_be_bytes).collect()
}

/// The stored hashes, in their order. Bytes that are no hash are left out.
pub fn decode_documents(stored: &[u8]) -> impl Iterator<Item = u64> {
    stored.as_chunks::<8>().0.iter().map(|bytes| u64::from_be_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_the_same_in_every_version_and_survive_a_round_trip() {
        let hash = document_hash("H33030200090", "insurance_penalty", "温医保罚(2026)12号");
        assert_eq!(document_hash("", "", ""), 0x0a99_c907_b6f6_4763, "a stored hash has changed");
        assert_ne!(hash, document_hash("H33030200090", "insurance_penalt", "y温医保罚(2026)12号"));
        let hashes = vec![u64::MAX, hash, 1, hash];
        let mut expected = vec![1, hash, u64::MAX];
        expected.sort_unstable();
        assert_eq!(decode_documents(&encode_documents(hashes)).collect::<Vec<_>>(), expected);
        assert_eq!(decode_documents(&[1, 2, 3]).count(), 0);
    }
}
