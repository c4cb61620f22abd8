//! The Merkle tree of RFC 6962, its proofs, its tiles and its signed checkpoints, as pure functions over bytes.
//!
//! Invariants: nothing here reads or writes anything; nothing panics on any input; a proof that does not verify is an
//! error and never a `false` that a caller could overlook. The meaning of entries is unknown here.
//! docs/LEDGER.md sections 4 and 5 define the formats.
#![deny(clippy::indexing_slicing, reason = "proofs and notes come from elsewhere: no index is trusted")]

mod checkpoint;
mod edge;
mod note;
mod proof;
mod tile;

pub use checkpoint::Checkpoint;
pub use edge::{Edge, FullTile};
pub use note::{Note, NoteError, NoteSigner, VerifierKey};
pub use proof::{
    Node, ProofError, Span, TreeHead, consistency_spans, inclusion_spans, verify_consistency, verify_inclusion,
};
pub use tile::{TILE_WIDTH, TileId, TileNodes};

use aws_lc_rs::digest;

/// A SHA-256 hash.
pub type Hash = [u8; 32];

fn sha256(parts: &[&[u8]]) -> Hash {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in parts {
        context.update(part);
    }
    let mut out = [0; 32];
    // Infallible: a SHA-256 digest has 32 bytes.
    out.copy_from_slice(context.finish().as_ref());
    out
}

/// The hash of a leaf, whose prefix distinguishes it from every node (RFC 6962 section 2.1).
pub fn leaf_hash(data: &[u8]) -> Hash {
    sha256(&[&[0], data])
}

/// The hash of a node with two children.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    sha256(&[&[1], left, right])
}

/// The root of the tree without leaves.
pub fn empty_root() -> Hash {
    sha256(&[])
}

/// The largest power of two that is less than `count`, which is at least 2.
const fn split_point(count: u64) -> u64 {
    1 << (count - 1).ilog2()
}

/// The hash over neighbouring subtrees of equal size, of which the last may be smaller: MTH of RFC 6962 section 2.1.
///
/// `None` for no subtrees, so that the empty tree's root cannot be mistaken for a subtree.
fn fold(hashes: &[Hash]) -> Option<Hash> {
    match hashes {
        [] => None,
        [one] => Some(*one),
        more => {
            // A slice has fewer than 2^64 items, so neither conversion fails.
            let split = usize::try_from(split_point(u64::try_from(more.len()).ok()?)).ok()?;
            let (left, right) = more.split_at_checked(split)?;
            Some(node_hash(&fold(left)?, &fold(right)?))
        }
    }
}

#[cfg(test)]
mod comparison;

#[cfg(test)]
mod tests {
    use super::*;
    use data_encoding::HEXLOWER;

    /// The eight inputs and nine roots of the common test vectors of certificate transparency.
    const INPUTS: [&[u8]; 8] = [
        b"",
        b"\x00",
        b"\x10",
        b"\x20\x21",
        b"\x30\x31",
        b"\x40\x41\x42\x43",
        b"\x50\x51\x52\x53\x54\x55\x56\x57",
        b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
    ];
    const ROOTS: [&str; 9] = [
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];

    #[test]
    fn roots_are_those_every_implementation_of_rfc_6962_gives() {
        let mut edge = Edge::default();
        for (at, expected) in ROOTS.iter().enumerate() {
            assert_eq!(&HEXLOWER.encode(&edge.root()), expected, "size {at}");
            if let Some(input) = INPUTS.get(at) {
                assert!(edge.push(leaf_hash(input)).is_empty());
            }
        }
        assert_eq!(HEXLOWER.encode(&empty_root()), ROOTS[0]);
    }
}
