//! Comparison with `ct-merkle`, an independent implementation of RFC 6962, over many sizes; and refused forgeries.

use ct_merkle::{ConsistencyProof, InclusionProof, RootHash, mem_backed_tree::MemoryBackedTree};
use proptest::prelude::*;
use sha2::{Sha256, digest::Output};

use super::*;

type Theirs = MemoryBackedTree<Sha256, Vec<u8>>;

/// A tree in three forms: theirs, our edge, and our tiles.
struct Trees {
    theirs: Vec<RootHash<Sha256>>,
    tree: Theirs,
    roots: Vec<Hash>,
    leaves: Vec<Hash>,
    full: Vec<FullTile>,
    edge: Edge,
}

fn head(size: u64, root: &Hash) -> TreeHead {
    TreeHead { size, root: *root }
}

fn data(at: u64) -> Vec<u8> {
    format!("leaf {at}").into_bytes()
}

fn grow(size: u64) -> Trees {
    let mut tree = Theirs::new();
    let mut edge = Edge::default();
    let mut grown = Trees {
        theirs: Vec::new(),
        tree: Theirs::new(),
        roots: vec![empty_root()],
        leaves: Vec::new(),
        full: Vec::new(),
        edge: Edge::default(),
    };
    grown.theirs.push(tree.root());
    for at in 0..size {
        tree.push(data(at));
        let leaf = leaf_hash(&data(at));
        grown.leaves.push(leaf);
        grown.full.extend(edge.push(leaf));
        grown.theirs.push(tree.root());
        grown.roots.push(edge.root());
    }
    grown.tree = tree;
    grown.edge = edge;
    grown
}

impl Trees {
    /// The tiles that a reader of the published log of this size has.
    fn nodes(&self, spans: &[Span]) -> TileNodes {
        let mut nodes = TileNodes::default();
        for id in TileNodes::needed(spans) {
            let full = self.full.iter().find(|tile| tile.id == id);
            nodes.insert(id, full.map_or_else(|| self.edge.partial(id.level).to_vec(), |tile| tile.hashes.clone()));
        }
        nodes
    }

    fn proof(&self, spans: &[Span]) -> Vec<Hash> {
        self.nodes(spans).hashes(spans).expect("the tiles a proof needs are there")
    }
}

fn outputs(path: &[Hash]) -> Vec<Output<Sha256>> {
    path.iter().map(|hash| Output::<Sha256>::from(*hash)).collect()
}

#[test]
fn roots_agree_at_every_size() {
    let grown = grow(1100);
    for (size, (ours, theirs)) in grown.roots.iter().zip(&grown.theirs).enumerate() {
        assert_eq!(ours.as_slice(), theirs.as_bytes().as_slice(), "size {size}");
    }
}

#[test]
fn inclusion_proofs_are_the_same_and_each_verifies_in_both() {
    for size in [1, 2, 3, 4, 5, 6, 7, 8, 9, 31, 32, 33, 255, 256, 257, 300, 513] {
        let grown = grow(size);
        let root = grown.roots.last().unwrap();
        for index in (0..size).step_by(if size > 40 { 7 } else { 1 }) {
            let path = grown.proof(&inclusion_spans(index, size).unwrap());
            verify_inclusion(&grown.leaves[usize::try_from(index).unwrap()], index, size, &path, root).unwrap();
            let theirs = grown.tree.prove_inclusion(usize::try_from(index).unwrap());
            assert_eq!(theirs.as_bytes(), path.concat(), "leaf {index} of {size}");
            let ours = InclusionProof::<Sha256>::from_digests(&outputs(&path));
            grown.theirs.last().unwrap().verify_inclusion(&data(index), index, &ours).unwrap();
        }
    }
}

#[test]
fn consistency_proofs_are_the_same_and_each_verifies_in_both() {
    for size in [1u64, 2, 3, 4, 5, 6, 7, 8, 9, 31, 32, 33, 255, 256, 257, 513] {
        let grown = grow(size);
        for old in (1..=size).step_by(if size > 40 { 5 } else { 1 }) {
            let at = usize::try_from(old).unwrap();
            let path = grown.proof(&consistency_spans(old, size).unwrap());
            verify_consistency(head(old, &grown.roots[at]), head(size, grown.roots.last().unwrap()), &path).unwrap();
            let theirs = grown.tree.prove_consistency(usize::try_from(size - old).unwrap());
            assert_eq!(theirs.as_bytes(), path.concat(), "{old} in {size}");
            let ours = ConsistencyProof::<Sha256>::from_digests(&outputs(&path));
            grown.theirs.last().unwrap().verify_consistency(&grown.theirs[at], &ours).unwrap();
        }
    }
}

#[test]
fn every_tree_is_consistent_with_the_empty_one_and_itself_only_by_its_root() {
    let grown = grow(5);
    let five = grown.roots[5];
    verify_consistency(head(0, &empty_root()), head(5, &five), &[]).unwrap();
    verify_consistency(head(5, &five), head(5, &five), &[]).unwrap();
    verify_consistency(head(0, &empty_root()), head(0, &empty_root()), &[]).unwrap();
    assert_eq!(verify_consistency(head(0, &five), head(5, &five), &[]), Err(ProofError::Root));
    assert_eq!(verify_consistency(head(5, &five), head(5, &grown.roots[4]), &[]), Err(ProofError::Root));
    assert_eq!(verify_consistency(head(5, &five), head(5, &five), &[five]), Err(ProofError::Length));
    assert_eq!(verify_consistency(head(5, &five), head(4, &grown.roots[4]), &[]), Err(ProofError::Sizes));
    assert!(consistency_spans(0, 5).unwrap().is_empty());
}

#[test]
fn an_edge_is_taken_up_again_from_its_tiles_and_only_from_its_own() {
    let grown = grow(700);
    let edge = &grown.edge;
    let tiles = vec![edge.partial(0).to_vec(), edge.partial(1).to_vec()];
    let mut again = Edge::from_tiles(700, tiles.clone()).unwrap();
    assert_eq!(again.root(), grown.roots[700]);
    again.push(leaf_hash(&data(700)));
    assert_eq!(again.root(), grow(701).roots[701]);
    assert_eq!(Edge::from_tiles(0, Vec::new()).unwrap().root(), empty_root());
    assert_eq!(Edge::from_tiles(256, vec![vec![], vec![[1; 32]]]).unwrap().root(), [1; 32]);
    for (size, tiles) in [(701, tiles.clone()), (700, tiles[..1].to_vec()), (0, tiles), (700, Vec::new())] {
        assert!(Edge::from_tiles(size, tiles).is_none());
    }
}

#[test]
fn a_tile_that_is_missing_or_short_proves_nothing() {
    let grown = grow(300);
    let spans = inclusion_spans(3, 300).unwrap();
    assert!(TileNodes::default().hashes(&spans).is_none());
    let mut short = grown.nodes(&spans);
    short.insert(TileId { level: 0, index: 1 }, grown.edge.partial(0)[..3].to_vec());
    assert!(short.hashes(&spans).is_none());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_proof_for_another_leaf_place_size_or_root_does_not_verify(
        size in 2u64..400, pick in any::<u64>(), other in any::<u64>(), flip in any::<u64>(),
    ) {
        let grown = grow(size);
        let (index, other) = (pick % size, other % size);
        let root = grown.roots.last().unwrap();
        let path = grown.proof(&inclusion_spans(index, size).unwrap());
        let leaf = grown.leaves[usize::try_from(index).unwrap()];
        if other != index {
            prop_assert!(verify_inclusion(&leaf, other, size, &path, root).is_err());
            prop_assert!(verify_inclusion(&grown.leaves[usize::try_from(other).unwrap()], index, size, &path, root).is_err());
        }
        let mut changed = path.clone();
        let at = usize::try_from(flip).unwrap_or(usize::MAX) % changed.len();
        changed[at][usize::try_from(flip % 32).unwrap()] ^= 1;
        prop_assert_eq!(verify_inclusion(&leaf, index, size, &changed, root), Err(ProofError::Root));
        prop_assert!(verify_inclusion(&leaf, index, size, &path[1..], root).is_err());
        let longer = [path.as_slice(), &[leaf]].concat();
        prop_assert_eq!(verify_inclusion(&leaf, index, size, &longer, root), Err(ProofError::Length));
        prop_assert_eq!(verify_inclusion(&leaf, size, size, &path, root), Err(ProofError::Sizes));
    }

    #[test]
    fn a_history_that_was_changed_is_not_consistent(size in 2u64..400, old in any::<u64>(), flip in any::<u64>()) {
        let grown = grow(size);
        let old = 1 + old % (size - 1);
        let at = usize::try_from(old).unwrap();
        let (old_root, new_root) = (&grown.roots[at], grown.roots.last().unwrap());
        let path = grown.proof(&consistency_spans(old, size).unwrap());
        let mut other = *old_root;
        other[usize::try_from(flip % 32).unwrap()] ^= 1;
        prop_assert!(verify_consistency(head(old, &other), head(size, new_root), &path).is_err());
        prop_assert!(verify_consistency(head(old, old_root), head(size, &other), &path).is_err());
        let mut changed = path.clone();
        let at = usize::try_from(flip).unwrap_or(usize::MAX) % changed.len();
        changed[at][0] ^= 1;
        prop_assert_eq!(verify_consistency(head(old, old_root), head(size, new_root), &changed), Err(ProofError::Root));
        prop_assert!(verify_consistency(head(old, old_root), head(size, new_root), &path[1..]).is_err());
    }

    #[test]
    fn no_proof_upsets_the_verifier(
        sizes in any::<(u64, u64)>(), hashes in proptest::collection::vec(any::<[u8; 32]>(), 0..70),
    ) {
        prop_assert!(verify_inclusion(&[0; 32], sizes.0, sizes.1, &hashes, &[1; 32]).is_err());
        prop_assert!(verify_consistency(head(sizes.0, &[2; 32]), head(sizes.1, &[1; 32]), &hashes).is_err());
        for spans in [inclusion_spans(sizes.0, sizes.1), consistency_spans(sizes.0, sizes.1)].into_iter().flatten() {
            prop_assert!(spans.len() <= 65);
            let needed = TileNodes::needed(&spans);
            prop_assert!(!spans.is_empty() || needed.is_empty());
        }
    }
}
