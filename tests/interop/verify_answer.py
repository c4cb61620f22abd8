"""Reads a grade from a demonstration and verifies the answer with http-message-signatures, a library that is not ours.

Usage: verify_answer.py DEMO_JSON. Prints what was verified; exits with 1 where an answer is refused or a changed one is not.
"""

import json
import sys
import types

import requests
from cryptography.hazmat.primitives.asymmetric import ec
from http_message_signatures import HTTPMessageVerifier, InvalidSignature, algorithms
from http_message_signatures.resolvers import MappingKeyResolver


def number(text):
    import base64

    return int.from_bytes(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), "big")


def main():
    book = json.load(open(sys.argv[1], encoding="utf-8"))
    bank = book["banks"][0]
    session = requests.Session()
    # What the environment says of certificates would go before what the book says.
    session.trust_env = False
    session.verify = book["ca"]
    session.cert = (bank["certificate"], bank["key"])
    url = book["partner_url"]

    token = session.post(f"{url}/oauth2/token", data={"grant_type": "client_credentials"}).json()["access_token"]
    jwks = session.get(f"{url}/.well-known/jwks.json").json()["keys"]
    keys = {
        key["kid"]: ec.EllipticCurvePublicNumbers(number(key["x"]), number(key["y"]), ec.SECP256R1()).public_key()
        for key in jwks
        # The token key is published too, and an answer signed by it is a forgery.
        if key["medcredit_purpose"] == "answer_signing"
    }
    assert len(keys) < len(jwks) and keys, [key["medcredit_purpose"] for key in jwks]
    headers = {"Authorization": f"Bearer {token}"}
    for what in ("grade", "settlements"):
        response = session.get(f"{url}/v1/consents/{book['consents']['active']}/{what}", headers=headers)
        assert response.status_code == 200, response.text
        verifier = HTTPMessageVerifier(
            signature_algorithm=algorithms.ECDSA_P256_SHA256,
            key_resolver=MappingKeyResolver(public_keys=keys, private_keys={}),
        )
        results = verifier.verify(response, body=response.content)
        covered = set(results[0].covered_components)
        for component in ('"@status"', '"content-digest"', '"medcredit-disclosure"', '"@method";req', '"@target-uri";req'):
            assert component in covered, (component, covered)
        for name, value in (("status_code", 203), ("content-digest", None), ("url", None)):
            changed = types.SimpleNamespace(
                status_code=response.status_code,
                headers=dict(response.headers),
                request=types.SimpleNamespace(
                    method=response.request.method, url=response.request.url, headers=dict(response.request.headers)
                ),
            )
            if name == "status_code":
                changed.status_code = value
            elif name == "url":
                changed.request.url += "?purpose=loan_approval"
            else:
                changed.headers["medcredit-disclosure"] = changed.headers["medcredit-disclosure"].replace("dis_", "dis_0")
            try:
                verifier.verify(changed)
            except InvalidSignature:
                continue
            raise AssertionError(f"a changed {name} was accepted")
        print(f"verified {what}: {len(response.content)} bytes, key {results[0].parameters['keyid']}")


main()
