//! Inclusion and consistency proofs (RFC 6962 sections 2.1.1 and 2.1.2): their construction and verification.
//!
//! Construction and verification share no code on purpose: construction follows the recursion of RFC 6962, verification
//! the loops of RFC 9162 sections 2.1.3.2 and 2.1.4.2.

use super::{Hash, empty_root, node_hash, split_point};

/// A complete subtree: it spans the leaves from `index << level` up to `(index + 1) << level`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Node {
    /// 0 for leaves.
    pub level: u8,
    /// Counted from the left, from 0.
    pub index: u64,
}

/// Neighbouring leaves whose hash is one element of a proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    start: u64,
    end: u64,
}

impl Span {
    /// The whole tree of `size` leaves, whose hash is the root.
    pub const fn tree(size: u64) -> Self {
        Self { start: 0, end: size }
    }

    /// The complete subtrees the span consists of, left to right, largest first.
    pub fn nodes(self) -> Vec<Node> {
        let mut nodes = Vec::new();
        let mut start = self.start;
        while start < self.end {
            let fitting = (self.end - start).ilog2();
            // A subtree begins at a multiple of its size, so the zero bits of the start bound its level.
            let level = fitting.min(start.trailing_zeros());
            nodes.push(Node { level: u8::try_from(level).unwrap_or(0), index: start >> level });
            start += 1 << level;
        }
        nodes
    }

    /// The hash over the span: its smaller subtrees, at the right, are joined first.
    pub fn hash(self, node: &dyn Fn(Node) -> Option<Hash>) -> Option<Hash> {
        let mut right: Option<Hash> = None;
        for part in self.nodes().into_iter().rev() {
            let left = node(part)?;
            right = Some(right.map_or(left, |right| node_hash(&left, &right)));
        }
        right
    }
}

/// Why a proof does not verify.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The sizes or the index contradict each other.
    #[error("the sizes contradict each other")]
    Sizes,
    /// The proof has too few or too many hashes.
    #[error("the proof has the wrong length")]
    Length,
    /// The hashes do not lead to the root.
    #[error("the proof does not lead to the root")]
    Root,
}

/// The elements of an inclusion proof for a leaf in a tree of `size`, from the leaf's sibling upwards.
pub fn inclusion_spans(index: u64, size: u64) -> Result<Vec<Span>, ProofError> {
    if index >= size {
        return Err(ProofError::Sizes);
    }
    let (mut start, mut end) = (0, size);
    let mut spans = Vec::new();
    while end - start > 1 {
        let middle = start + split_point(end - start);
        if index < middle {
            spans.push(Span { start: middle, end });
            end = middle;
        } else {
            spans.push(Span { start, end: middle });
            start = middle;
        }
    }
    // Collected from the root down, and listed from the leaf up.
    spans.reverse();
    Ok(spans)
}

/// The elements of a consistency proof between two sizes. None when the sizes are equal or the older tree is empty.
pub fn consistency_spans(old: u64, new: u64) -> Result<Vec<Span>, ProofError> {
    if old > new {
        return Err(ProofError::Sizes);
    }
    if old == 0 {
        return Ok(Vec::new());
    }
    let (mut start, mut end) = (0, new);
    let mut spans = Vec::new();
    // The current subtree is the beginning of the old tree as long as nothing to its left was split off.
    while old < end {
        let middle = start + split_point(end - start);
        if old <= middle {
            spans.push(Span { start: middle, end });
            end = middle;
        } else {
            spans.push(Span { start, end: middle });
            start = middle;
        }
    }
    // From 0 on, the old tree is a complete subtree, whose root the verifier has.
    if start > 0 {
        spans.push(Span { start, end });
    }
    spans.reverse();
    Ok(spans)
}

/// Verifies that a leaf hash is at `index` in the tree of `size` with this root (RFC 9162 section 2.1.3.2).
pub fn verify_inclusion(leaf: &Hash, index: u64, size: u64, path: &[Hash], root: &Hash) -> Result<(), ProofError> {
    if index >= size {
        return Err(ProofError::Sizes);
    }
    let (mut at, mut last) = (index, size - 1);
    let mut hash = *leaf;
    for sibling in path {
        if last == 0 {
            return Err(ProofError::Length);
        }
        // A right child, or the last node of a level without a sibling: the hash joins from the right.
        if at & 1 == 1 || at == last {
            hash = node_hash(sibling, &hash);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        at >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(ProofError::Length);
    }
    if hash == *root { Ok(()) } else { Err(ProofError::Root) }
}

/// The size and the root of a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TreeHead {
    /// Number of leaves.
    pub size: u64,
    /// The root over them.
    pub root: Hash,
}

/// Verifies that the tree of `newer` begins with the tree of `older` (RFC 9162 section 2.1.4.2).
pub fn verify_consistency(older: TreeHead, newer: TreeHead, path: &[Hash]) -> Result<(), ProofError> {
    let (old, old_root, new, new_root) = (older.size, &older.root, newer.size, &newer.root);
    if old > new {
        return Err(ProofError::Sizes);
    }
    if old == new || old == 0 {
        // A tree is consistent with itself and with the empty tree, whose root is a constant.
        let expected = if old == new { *new_root } else { empty_root() };
        return match (path.is_empty(), *old_root == expected) {
            (false, _) => Err(ProofError::Length),
            (true, false) => Err(ProofError::Root),
            (true, true) => Ok(()),
        };
    }
    let mut rest = path.iter();
    // An old tree that is a complete subtree is not part of the proof: its root is the given one.
    let first = if old.is_power_of_two() { *old_root } else { *rest.next().ok_or(ProofError::Length)? };
    let (mut at, mut last) = (old - 1, new - 1);
    while at & 1 == 1 {
        at >>= 1;
        last >>= 1;
    }
    let (mut from_old, mut from_new) = (first, first);
    for sibling in rest {
        if last == 0 {
            return Err(ProofError::Length);
        }
        // Hashes at the left are in both trees; those at the right are in the newer one only.
        if at & 1 == 1 || at == last {
            from_old = node_hash(sibling, &from_old);
            from_new = node_hash(sibling, &from_new);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            from_new = node_hash(&from_new, sibling);
        }
        at >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(ProofError::Length);
    }
    if from_old == *old_root && from_new == *new_root { Ok(()) } else { Err(ProofError::Root) }
}
