#!/usr/bin/env python3
"""Prints the test vectors of docs/LEDGER.md, from that document's words alone.

It shares no code with the gateway and needs nothing but Python's standard library: SHA-256 from hashlib, Ed25519
written out from RFC 8032, the tree from RFC 6962 section 2.1, canonical JSON from RFC 8785 (whose rules for integers,
ASCII member names and UTF-8 strings are those of json.dumps as called here).
"""

import base64
import hashlib
import json


def sha256(data):
    return hashlib.sha256(data).digest()


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def b64(data):
    return base64.b64encode(data).decode()


def b64url(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


# Commitments and entries.

def commitment_input(name, salt, value):
    return b"medcredit-commitment-v1\x00" + bytes([len(name)]) + name.encode() + salt + canonical(value)


def salt_of(entry, name):
    """A salt for the vectors only: real ones are random."""
    return sha256(f"vector salt {entry} {name}".encode())[:16]


def make(kind, entry_id, at, facts, values):
    salts = {name: salt_of(entry_id, name) for name in values}
    entry = {
        "at": at,
        "commitments": {n: b64url(sha256(commitment_input(n, salts[n], v))) for n, v in values.items()},
        "facts": facts,
        "id": entry_id,
        "type": kind,
        "v": 1,
    }
    opening = {"fields": {n: {"salt": b64url(salts[n]), "value": v} for n, v in values.items()}, "v": 1}
    body = canonical(entry)
    return {"entry": body.decode(), "leaf": leaf_hash(body).hex(), "opening": canonical(opening).decode()}


# The tree: RFC 6962 section 2.1, written as it stands there.

def leaf_hash(data):
    return sha256(b"\x00" + data)


def node_hash(left, right):
    return sha256(b"\x01" + left + right)


def split(n):
    k = 1
    while k * 2 < n:
        k *= 2
    return k


def root(leaves):
    if not leaves:
        return sha256(b"")
    if len(leaves) == 1:
        return leaves[0]
    k = split(len(leaves))
    return node_hash(root(leaves[:k]), root(leaves[k:]))


def inclusion(m, leaves):
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    if m < k:
        return inclusion(m, leaves[:k]) + [root(leaves[k:])]
    return inclusion(m - k, leaves[k:]) + [root(leaves[:k])]


def consistency(m, leaves, whole=True):
    if m == len(leaves):
        return [] if whole else [root(leaves)]
    k = split(len(leaves))
    if m <= k:
        return consistency(m, leaves[:k], whole) + [root(leaves[k:])]
    return consistency(m - k, leaves[k:], False) + [root(leaves[:k])]


# Ed25519: RFC 8032 section 5.1, slow and plain.

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P


def recover_x(y, sign):
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    return P - x if x & 1 != sign else x


BASE_Y = 4 * pow(5, P - 2, P) % P
BASE = (recover_x(BASE_Y, 0), BASE_Y)


def add(a, b):
    (x1, y1), (x2, y2) = a, b
    t = D * x1 * x2 * y1 * y2 % P
    x3 = (x1 * y2 + x2 * y1) * pow(1 + t, P - 2, P) % P
    y3 = (y1 * y2 + x1 * x2) * pow(1 - t, P - 2, P) % P
    return x3, y3


def multiply(scalar, point):
    out = (0, 1)
    while scalar:
        if scalar & 1:
            out = add(out, point)
        point = add(point, point)
        scalar >>= 1
    return out


def encode_point(point):
    x, y = point
    return (y | (x & 1) << 255).to_bytes(32, "little")


def expand(seed):
    digest = hashlib.sha512(seed).digest()
    scalar = int.from_bytes(digest[:32], "little")
    return scalar & (1 << 254) - 8 | 1 << 254, digest[32:]


def public_key(seed):
    return encode_point(multiply(expand(seed)[0], BASE))


def sign(seed, message):
    scalar, prefix = expand(seed)
    public = encode_point(multiply(scalar, BASE))
    r = int.from_bytes(hashlib.sha512(prefix + message).digest(), "little") % L
    point = encode_point(multiply(r, BASE))
    h = int.from_bytes(hashlib.sha512(point + public + message).digest(), "little") % L
    return point + ((r + h * scalar) % L).to_bytes(32, "little")


# Notes: C2SP signed-note and tlog-checkpoint.

def key_id(name, public):
    return sha256(name.encode() + b"\n\x01" + public)[:4]


def checkpoint(origin, seed, leaves):
    text = f"{origin}\n{len(leaves)}\n{b64(root(leaves))}\n"
    public = public_key(seed)
    signature = key_id(origin, public) + sign(seed, text.encode())
    return f"{text}\n— {origin} {b64(signature)}\n"


def tile_path(level, index, width=256):
    groups = [f"{index % 1000:03d}"]
    while index >= 1000:
        index //= 1000
        groups.insert(0, f"x{index % 1000:03d}")
    return f"tile/{level}/{'/'.join(groups)}" + ("" if width == 256 else f".p/{width}")


def entries():
    client, consent = "cli_06fzgv8t3w7krxq0m5c2bd9ne8", "con_06fzgv9a41wdkxs8q2e7mtb3rc"
    codes, uscc = ["H33030100001", "P33030100002"], "12330300470500001J"
    disclosure = make("disclosure", "dis_06fzgvc5pqyd2m8s4tbn0xke71", "2026-03-31T16:00:00.123456Z", {}, {
        "client": client, "codes": codes, "consent": consent, "consent_version": 2,
        "content_digest": "sha-256=:" + b64(sha256(b'{"grade":"A"}')) + ":",
        "interaction": "3b1f7c52-6a0e-4c1d-9c57-1f2f6a5d8e90", "period": {"from": "2026-01", "to": "2026-03"},
        "publication": 7, "purpose": "pre_loan_review", "uscc": uscc, "what": ["grade", "settlements"],
    })
    revoked = make("consent", "ent_06fzgvd0r6n9b3cx7ws1ye5hkm", "2026-04-01T01:02:03.000000Z", {"event": "revoked"}, {
        "actor": "operator:lin", "changes": {"state": ["active", "revoked"]}, "channel": "console",
        "client": client, "codes": codes, "consent": consent, "consent_version": 3, "evidence": None,
        "reason": "经办人撤回授权", "uscc": uscc,
    })
    operator = make("operator", "ent_06fzgvdw2j8mq4tb6yrx0c9nse", "2026-04-01T02:00:00.000000Z",
                    {"action": "client_suspended"}, {
        "actor": "operator:lin", "detail": {}, "reason": "certificate lost", "target": client,
    })
    approval = make("approval", "ent_06fzgvesk1c5w9xbq7m3ydtn04", "2026-04-01T02:05:00.000000Z",
                    {"action": "client_resumed", "decision": "approved"}, {
        "actor": "operator:chen", "detail": {}, "reason": None, "request": "operator:lin", "target": client,
    })
    erasure = make("erasure", "ent_06fzgvfq9n3d7kxe2sbw8m5tyc", "2036-04-01T00:00:00.000000Z",
                   {"entries": ["dis_06fzgvc5pqyd2m8s4tbn0xke71"], "ground": "retention_ended"}, {
        "actor": "system", "reason": None,
    })
    return [disclosure, revoked, operator, approval, erasure]


def main():
    made = entries()
    leaves = [bytes.fromhex(entry["leaf"]) for entry in made]
    origin, seed = "gateway.example/ledger/1", bytes(range(32))
    public = public_key(seed)
    many = [leaf_hash(i.to_bytes(2, "big")) for i in range(300)]
    salt, value = bytes(range(16)), ["H33030100001", "P33030100002"]
    out = {
        "commitment": {
            "name": "codes", "salt": b64url(salt), "value": value,
            "input": commitment_input("codes", salt, value).hex(),
            "commitment": b64url(sha256(commitment_input("codes", salt, value))),
        },
        "entries": made,
        "roots": [root(leaves[:n]).hex() for n in range(6)],
        "inclusion": [[b64(h) for h in inclusion(i, leaves)] for i in range(5)],
        "consistency_3_5": [b64(h) for h in consistency(3, leaves)],
        "key": {
            "seed": seed.hex(), "public": public.hex(), "id": key_id(origin, public).hex(),
            "verifier": f"{origin}+{key_id(origin, public).hex()}+{b64(bytes([1]) + public)}",
        },
        "checkpoint": checkpoint(origin, seed, leaves),
        "receipt": f'id="dis_06fzgvc5pqyd2m8s4tbn0xke71", leaf=:{b64(leaves[0])}:, log="{origin}", by=@1774972860',
        "tiles": {
            "leaf_i": "leaf hash of i as two big-endian bytes, 0 <= i < 300",
            "root": root(many).hex(),
            "full": sha256(b"".join(many[:256])).hex(), "partial": sha256(b"".join(many[256:])).hex(),
            "level_1": root(many[:256]).hex(),
            "paths": [tile_path(0, 0), tile_path(0, 1, 44), tile_path(1, 0, 1), tile_path(0, 1234067)],
        },
    }
    print(json.dumps(out, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
