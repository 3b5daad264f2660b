"""SCRAM verifiers against RFC 7677's example."""

import base64
import hashlib
import hmac

import pytest

from operations import scram

SALT = "W22ZaJ0SNY7soEsUEjb6gQ=="
# What PostgreSQL stores for the RFC's user: the keys that its example exchange proves.
KEYS = "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
PENCIL = f"SCRAM-SHA-256$4096:{SALT}${KEYS}"


def test_verifier_of_the_rfc() -> None:
    assert scram.verifier("pencil", base64.b64decode(SALT), 4096) == PENCIL


def test_verifier_proves_the_exchange_of_the_rfc() -> None:
    message = (
        "n=user,r=rOprNGfwEbeRWgbNEkqO,"
        f"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s={SALT},i=4096,"
        "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    ).encode()
    stored, server = (base64.b64decode(key) for key in PENCIL.split("$")[2].split(":"))
    proof = base64.b64decode("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
    signature = hmac.digest(stored, message, "sha256")
    client = bytes(a ^ b for a, b in zip(proof, signature, strict=True))
    assert hashlib.sha256(client).digest() == stored
    assert hmac.digest(server, message, "sha256") == base64.b64decode("6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")


def test_digest_is_that_of_the_verifier() -> None:
    assert scram.digest("pencil", SALT, 4096) == hashlib.sha256(PENCIL.encode()).hexdigest()
    assert scram.digest("pencil ", SALT, 4096) != hashlib.sha256(PENCIL.encode()).hexdigest()


@pytest.mark.parametrize("password", ["", "pässword", "tab\there", "nul\0", "\N{NO-BREAK SPACE}", "line\n"])
def test_what_saslprep_could_change_is_refused_without_naming_it(password: str) -> None:
    with pytest.raises(ValueError, match="printable ASCII") as caught:
        scram.verifier(password, b"salt")
    assert not password or password not in str(caught.value)
