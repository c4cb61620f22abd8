"""Verifies a demonstration's log from its portal, sharing no code with the gateway.

Usage: verify_log.py DEMO_JSON. The tree is docs/ledger-vectors.py's, from RFC 6962; the note and the tiles are read as C2SP
signed-note, tlog-checkpoint and tlog-tiles say; Ed25519 is PyPI's cryptography. Then a bank reads a grade, and its
disclosure is found in the tree by an audit path made of tiles alone. Exits with 1 where something does not verify, or where
something changed does.
"""

import base64
import hashlib
import importlib.util
import json
import pathlib
import re
import sys
import time

import requests
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

VECTORS = pathlib.Path(__file__).resolve().parents[2] / "docs" / "ledger-vectors.py"
spec = importlib.util.spec_from_file_location("ledger_vectors", VECTORS)
tree = importlib.util.module_from_spec(spec)
spec.loader.exec_module(tree)


def session_of(book, bank=None):
    session = requests.Session()
    # What the environment says of certificates would go before what the book says.
    session.trust_env = False
    session.verify = book["ca"]
    if bank:
        session.cert = (bank["certificate"], bank["key"])
    return session


def verifier_keys(log):
    """name -> key id -> public key, of every `name+id+base64` of the key log."""
    keys = {}
    for key in log["keys"]:
        if "verifier" not in key:
            continue
        name, key_id, encoded = key["verifier"].split("+", 2)
        public = base64.b64decode(encoded)
        assert public[0] == 1 and len(public) == 33, "not an Ed25519 key"
        assert tree.key_id(name, public[1:]).hex() == key_id, "the key's id is not its own"
        keys[key_id] = (name, Ed25519PublicKey.from_public_bytes(public[1:]))
    return keys


def open_checkpoint(note, keys):
    """Origin, size and root of a note that a known key signed."""
    text, signatures = note.split("\n\n")
    text += "\n"
    verified = 0
    for line in signatures.splitlines():
        dash, name, encoded = line.split(" ")
        assert dash == "\u2014"
        signature = base64.b64decode(encoded)
        if signature[:4].hex() in keys:
            known, public = keys[signature[:4].hex()]
            assert known == name
            public.verify(signature[4:], text.encode())
            verified += 1
    assert verified, "nobody known signed it"
    origin, size, root = text.splitlines()
    assert name == origin
    return origin, int(size), base64.b64decode(root)


class Tiles:
    """The leaves of a log, from its tiles."""

    def __init__(self, session, prefix):
        self.session, self.prefix = session, prefix

    def fetch(self, level, index, width):
        path = tree.tile_path(level, index, width)
        response = self.session.get(f"{self.prefix}/{path}")
        assert response.status_code == 200, (path, response.text)
        assert len(response.content) == 32 * width, path
        cached = response.headers["cache-control"]
        assert ("immutable" in cached) == (width == 256), (path, cached)
        assert response.headers["access-control-allow-origin"] == "*"
        return [response.content[at : at + 32] for at in range(0, 32 * width, 32)]

    def leaves(self, size):
        out = []
        for index in range(0, (size + 255) // 256):
            out += self.fetch(0, index, min(256, size - 256 * index))
        # A tile of the next level holds the roots of the full ones below it.
        if size >= 256:
            roots = self.fetch(1, 0, min(256, size // 256))
            for index, root in enumerate(roots):
                assert root == tree.root(out[256 * index : 256 * index + 256]), "a tile is not the root of those below"
        return out


def main():
    book = json.load(open(sys.argv[1], encoding="utf-8"))
    public, url = session_of(book), book["portal_url"]
    keys = verifier_keys(public.get(f"{url}/ledger/keys").json())

    note = public.get(f"{url}/ledger/checkpoint").content.decode()
    origin, size, root = open_checkpoint(note, keys)
    for changed in (note.replace(f"\n{size}\n", f"\n{size + 1}\n"), note.replace(origin, origin + "0")):
        try:
            open_checkpoint(changed, keys)
        except (InvalidSignature, AssertionError):
            continue
        raise AssertionError("a changed checkpoint was accepted")
    leaves = Tiles(public, f"{url}/ledger").leaves(size)
    assert tree.root(leaves) == root
    print(f"root computed from tiles: {origin}, {size} leaves")

    bank = book["banks"][0]
    session, partner = session_of(book, bank), book["partner_url"]
    token = session.post(f"{partner}/oauth2/token", data={"grant_type": "client_credentials"}).json()["access_token"]
    answer = session.get(
        f"{partner}/v1/consents/{book['consents']['active']}/grade", headers={"Authorization": f"Bearer {token}"}
    )
    assert answer.status_code == 200, answer.text
    receipt = answer.headers["medcredit-disclosure"]
    leaf = base64.b64decode(re.search(r"leaf=:([^:]+):", receipt)[1])
    for _ in range(50):
        _, new_size, new_root = open_checkpoint(public.get(f"{url}/ledger/checkpoint").content.decode(), keys)
        if new_size > size:
            leaves = Tiles(public, f"{url}/ledger").leaves(new_size)
            if leaf in leaves:
                break
        time.sleep(0.1)
    assert tree.root(leaves) == new_root
    index = leaves.index(leaf)
    path = tree.inclusion(index, leaves)
    assert climb(leaf, index, new_size, path) == new_root
    assert climb(hashlib.sha256(leaf).digest(), index, new_size, path) != new_root
    proof = tree.consistency(size, leaves)
    assert grown(size, new_size, root, proof) == (root, new_root), "the log was rewritten"
    print(f"inclusion of the disclosure: leaf {index} of {new_size}, {len(path)} hashes; consistent with {size} before")


def climb(leaf, index, size, path):
    """RFC 9162 section 2.1.3.2: the root an audit path leads to."""
    fn, sn, r = index, size - 1, leaf
    for p in path:
        assert sn != 0
        if fn & 1 or fn == sn:
            r = tree.node_hash(p, r)
            while not fn & 1 and fn != 0:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = tree.node_hash(r, p)
        fn, sn = fn >> 1, sn >> 1
    assert sn == 0
    return r


def grown(first, second, first_root, proof):
    """RFC 9162 section 2.1.4.2: the two roots a consistency proof leads to."""
    if first & (first - 1) == 0:
        proof = [first_root] + proof
    fn, sn = first - 1, second - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = proof[0]
    for c in proof[1:]:
        assert sn != 0
        if fn & 1 or fn == sn:
            fr, sr = tree.node_hash(c, fr), tree.node_hash(c, sr)
            while not fn & 1 and fn != 0:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = tree.node_hash(sr, c)
        fn, sn = fn >> 1, sn >> 1
    assert sn == 0
    return fr, sr


main()
