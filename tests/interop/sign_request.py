"""Signs requests with http-message-signatures, a library that is not ours, and verifies that the answers name them.

Usage: sign_request.py DEMO_JSON KEY_PEM KID. The first bank of the demonstration must be registered for signed requests
with that key. Exits with 1 where the gateway refuses what it should take, or takes what it should refuse.
"""

import base64
import datetime
import hashlib
import json
import sys
import types

import requests
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from http_message_signatures import HTTPMessageSigner, HTTPMessageVerifier, InvalidSignature, algorithms
from http_message_signatures.resolvers import MappingKeyResolver

TAG = "fapi-2-request"


def number(text):
    return int.from_bytes(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), "big")


class Bank:
    def __init__(self, book, key, kid):
        bank = book["banks"][0]
        self.url = book["partner_url"]
        self.kid = kid
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.verify = book["ca"]
        self.session.cert = (bank["certificate"], bank["key"])
        form = {"grant_type": "client_credentials"}
        self.token = self.session.post(f"{self.url}/oauth2/token", data=form).json()["access_token"]
        resolver = MappingKeyResolver(public_keys={}, private_keys={kid: key})
        self.signer = HTTPMessageSigner(signature_algorithm=algorithms.ECDSA_P256_SHA256, key_resolver=resolver)

    def prepare(self, method, path, body=None):
        headers = {"Authorization": f"Bearer {self.token}"}
        if body is not None:
            digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
            headers |= {"Content-Type": "application/json", "Content-Digest": f"sha-256=:{digest}:"}
        return self.session.prepare_request(requests.Request(method, self.url + path, headers=headers, data=body))

    def sign(self, request, tag=TAG, without=(), age=0, label="sig1"):
        covered = ["@method", "@target-uri", "authorization"] + (["content-digest"] if request.body else [])
        created = datetime.datetime.now() - datetime.timedelta(seconds=age)
        components = [name for name in covered if name not in without]
        self.signer.sign(
            request,
            key_id=self.kid,
            created=created,
            label=label,
            tag=tag,
            covered_component_ids=components,
            use_existing_digest="Content-Digest" in request.headers,
        )
        return request

    def send(self, request):
        return self.session.send(request)


def refused(response, code):
    said = response.json()["code"]
    assert (response.status_code, said) == (401, code), (response.status_code, response.text)
    print(f"refused: {code}")


def main():
    book = json.load(open(sys.argv[1], encoding="utf-8"))
    key = load_pem_private_key(open(sys.argv[2], "rb").read(), None)
    bank = Bank(book, key, sys.argv[3])
    path = f"/v1/consents/{book['consents']['active']}/grade"

    request = bank.sign(bank.prepare("GET", path))
    response = bank.send(request)
    assert response.status_code == 200, response.text
    jwks = bank.session.get(f"{bank.url}/.well-known/jwks.json").json()["keys"]
    keys = {
        jwk["kid"]: ec.EllipticCurvePublicNumbers(number(jwk["x"]), number(jwk["y"]), ec.SECP256R1()).public_key()
        for jwk in jwks
        if jwk["kty"] == "EC"
    }
    verifier = HTTPMessageVerifier(
        signature_algorithm=algorithms.ECDSA_P256_SHA256,
        key_resolver=MappingKeyResolver(public_keys=keys, private_keys={}),
    )
    covered = set(verifier.verify(response)[0].covered_components)
    assert {'"signature";req', '"signature-input";req'} <= covered, covered
    changed = types.SimpleNamespace(
        status_code=response.status_code,
        headers=dict(response.headers),
        request=types.SimpleNamespace(
            method=request.method,
            url=request.url,
            headers={**request.headers, "Signature": bank.sign(bank.prepare("GET", path)).headers["Signature"]},
        ),
    )
    try:
        verifier.verify(changed)
        raise AssertionError("the signature of another request was accepted")
    except InvalidSignature:
        print("verified: the answer names the request's signature")

    subject = book["subjects"][0]
    wish = {
        "uscc": subject["uscc"],
        "codes": [subject["code"]],
        "permissions": ["grade"],
        "purposes": ["loan_approval"],
        "product": "test",
    }
    body = json.dumps(wish).encode()
    created = bank.send(bank.sign(bank.prepare("POST", "/v1/consents", body)))
    assert created.status_code == 201, created.text
    print("accepted: a signed request with a body")

    refused(bank.send(bank.prepare("GET", path)), "request_signature_required")
    refused(bank.send(bank.sign(bank.prepare("GET", path), tag="other")), "request_signature_required")
    refused(bank.send(bank.sign(bank.prepare("GET", path), age=120)), "request_signature_untimely")
    for name in ("@method", "@target-uri", "authorization"):
        refused(bank.send(bank.sign(bank.prepare("GET", path), without=[name])), "request_signature_incomplete")
    without = bank.sign(bank.prepare("POST", "/v1/consents", body), without=["content-digest"])
    refused(bank.send(without), "request_signature_incomplete")
    twice = bank.sign(bank.prepare("GET", path))
    twice.headers["Signature-Input"] = f"{twice.headers['Signature-Input']}, {twice.headers['Signature-Input']}"
    refused(bank.send(twice), "request_signature_malformed")
    moved = bank.sign(bank.prepare("GET", path))
    moved.url += "?purpose=loan_approval"
    refused(bank.send(moved), "request_signature_invalid")


main()
