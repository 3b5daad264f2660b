"""Chains as operators really bring them, made anew for each test."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID
from pydantic import ValidationError

from settings import chain
from settings.provided import KEY_STAND_IN, cannot_be_served
from settings.secret import Secret
from settings.tls import TlsSettings

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
FQDN = "portal.example.org"


class Party:
    """One certificate and its key; signed by ISSUER, or by itself."""

    def __init__(
        self,
        name: str,
        issuer: Party | None = None,
        dns: tuple[str, ...] = (),
        begin: datetime = NOW - timedelta(days=10),
        days: int = 90,
    ) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = (
            x509.CertificateBuilder()
            .subject_name(self.name)
            .issuer_name(issuer.name if issuer else self.name)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begin)
            .not_valid_after(begin + timedelta(days=days))
            .add_extension(x509.BasicConstraints(not dns, None), critical=True)
        )
        if dns:
            builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(d) for d in dns]), False)
        self.certificate = builder.sign(issuer.key if issuer else self.key, SHA256())
        self.pem = self.certificate.public_bytes(Encoding.PEM).decode()

    def key_pem(self, encryption: KeySerializationEncryption | None = None) -> str:
        pem = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption())
        return pem.decode()


ROOT = Party("Root")
MIDDLE = Party("Middle", ROOT)
LOW = Party("Low", MIDDLE)
LEAF = Party("leaf", LOW, (FQDN, "*.data.example.org"))
STRANGER = Party("Stranger")


def check(*parties: Party, names: tuple[str, ...] = (FQDN,), now: datetime = NOW) -> None:
    text = "".join(party.pem for party in parties)
    chain.check(text, names, now, [STRANGER.certificate, ROOT.certificate], "site.pem")


def check_key(key: str, *parties: Party) -> None:
    chain.belong_together("".join(party.pem for party in parties), key, ("site.pem", "site.key"))


@pytest.mark.parametrize("parties", [(LEAF, LOW, MIDDLE), (LEAF, LOW, MIDDLE, ROOT)], ids=["to root", "with root"])
def test_complete_chain_is_accepted(parties: tuple[Party, ...]) -> None:
    check(*parties)


def test_private_root_in_the_file_is_accepted() -> None:
    own = Party("Own root")
    leaf = Party("leaf", own, (FQDN,))
    check(leaf, own)


def test_self_signed_certificate_is_accepted() -> None:
    alone = Party("alone", dns=(FQDN,))
    check(alone)


def test_name_under_a_wildcard_is_covered() -> None:
    check(LEAF, LOW, MIDDLE, names=(FQDN, "a.data.example.org", "B.Data.Example.org"))


@pytest.mark.parametrize(
    ("parties", "sentence"),
    [
        ((LEAF,), r"site\.pem is incomplete: it lacks CN=Low, which issued the certificate of CN=leaf"),
        ((LEAF, MIDDLE), r"incomplete: it lacks CN=Low"),
        ((LEAF, LOW), r"incomplete: it lacks CN=Middle"),
        ((MIDDLE, LOW, LEAF), r"wrong order; wanted is: CN=leaf, CN=Low, CN=Middle"),
        ((LEAF, MIDDLE, LOW), r"wrong order; wanted is: CN=leaf, CN=Low, CN=Middle"),
        ((LEAF, LOW, MIDDLE, LOW), r"site\.pem holds the certificate of CN=Low twice; remove one"),
        ((LEAF, LOW, MIDDLE, STRANGER), r"CN=Stranger, which issued nothing in this chain; remove it"),
        ((LOW, MIDDLE), r"site\.pem does not cover portal\.example\.org \(only no DNS name\)"),
    ],
)
def test_wrong_chain_is_refused(parties: tuple[Party, ...], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        check(*parties)


def test_issuer_of_the_same_name_but_another_key_does_not_count() -> None:
    with pytest.raises(ValueError, match="incomplete: it lacks CN=Low"):
        check(LEAF, Party("Low", MIDDLE), MIDDLE)


@pytest.mark.parametrize(
    ("now", "sentence"),
    [
        (NOW + timedelta(days=81), r"CN=leaf in site\.pem expired on 2027-02-09; get a new one"),
        (NOW - timedelta(days=11), r"CN=leaf in site\.pem is not valid before 2026-11-11 12:00 UTC"),
    ],
)
def test_time_is_checked(now: datetime, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        check(LEAF, LOW, MIDDLE, now=now)


def test_time_of_the_issuers_is_checked() -> None:
    old = Party("Old", ROOT, begin=NOW - timedelta(days=30), days=20)
    leaf = Party("leaf", old, (FQDN,))
    with pytest.raises(ValueError, match=r"CN=Old in site\.pem expired"):
        check(leaf, old)


@pytest.mark.parametrize("name", ["example.org", "a.b.data.example.org", "data.example.org", "xportal.example.org"])
def test_names_that_are_not_covered_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=rf"does not cover {name} \(only portal.example.org, \*\.data.example.org\)"):
        check(LEAF, LOW, MIDDLE, names=(FQDN, name))


def test_the_key_is_that_of_the_first_certificate() -> None:
    check_key(LEAF.key_pem(), LEAF, LOW, MIDDLE)
    with pytest.raises(ValueError, match=r"site\.key belongs to another certificate than CN=Low, the first of"):
        check_key(MIDDLE.key_pem(), LOW, MIDDLE)


def test_key_with_a_password_is_refused() -> None:
    with pytest.raises(ValueError, match=r"site\.key has a password"):
        check_key(LEAF.key_pem(BestAvailableEncryption(b"x")), LEAF)


@pytest.mark.parametrize(
    "text",
    ["no key", LEAF.pem, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"],
    ids=["text", "a certificate", "half a key"],
)
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"site\.key holds no PEM private key"):
        check_key(text, LEAF)


def test_what_is_no_chain_is_refused() -> None:
    for text in ("no pem", LEAF.pem.replace("M", "!")):
        with pytest.raises(ValueError, match=r"site\.pem holds no PEM certificates"):
            chain.check(text, (FQDN,), NOW, [], "site.pem")


def test_key_in_the_public_file_is_refused_and_not_shown() -> None:
    with pytest.raises(ValueError, match=r"site\.pem holds a private key, but everybody may read") as caught:
        chain.check(LEAF.pem + LEAF.key_pem(), (FQDN,), NOW, [], "site.pem")
    assert "BEGIN" not in str(caught.value)


def test_trust_store_of_this_machine_is_found() -> None:
    assert len(chain.trusted_roots()) > 20


def settings(**values: object) -> TlsSettings:
    paths = {"certificate_path": "/c", "key_path": "/k"}
    return TlsSettings.model_validate({"source": "provided", "fqdn": FQDN, "address": "192.0.2.1", **paths, **values})


def file(folder: Path, *parties: Party) -> str:
    (folder / "site.pem").write_text("".join(party.pem for party in parties))
    return str(folder / "site.pem")


def test_settings_take_a_good_chain_and_mask_the_key(tmp_path: Path) -> None:
    now = datetime.now(UTC) - timedelta(days=1)
    root = Party("Own", begin=now)
    leaf = Party("leaf", root, (FQDN,), begin=now)
    made = settings(certificate_file=file(tmp_path, leaf, root), key=Secret(leaf.key_pem().rstrip()))
    assert made.chain_text == leaf.pem + root.pem
    assert made.wrong_key == ""
    assert "BEGIN" not in repr(made) + str(made.key)


@pytest.mark.parametrize(
    ("key", "sentence"),
    [
        (Party("other").key_pem(), "the key in the secret tls_key belongs to another certificate than CN=leaf"),
        (
            "-----BEGIN PRIVATE KEY-----\nAAAABBBB\n-----END PRIVATE KEY-----",
            "the secret tls_key holds no PEM private key that can be read",
        ),
        (KEY_STAND_IN, ""),
    ],
    ids=["another's", "damaged", "not opened"],
)
def test_a_key_must_be_that_of_the_chain(key: str, sentence: str, tmp_path: Path) -> None:
    leaf = Party("leaf", dns=(FQDN,))
    made = settings(certificate_file=file(tmp_path, leaf), key=Secret(key.rstrip()))
    assert made.wrong_key.startswith(sentence) and bool(made.wrong_key) == bool(sentence)


def test_a_bad_chain_is_refused(tmp_path: Path) -> None:
    assert "is incomplete" in cannot_be_served(file(tmp_path, LEAF), (FQDN,))


def test_a_chain_that_lacks_an_alias_is_refused(tmp_path: Path) -> None:
    path = file(tmp_path, Party("alone", dns=(FQDN,), begin=datetime.now(UTC) - timedelta(days=1)))
    assert cannot_be_served(path, (FQDN,)) == ""
    assert "does not cover www.example.org" in cannot_be_served(path, (FQDN, "www.example.org"))


def test_a_file_that_is_not_there_is_refused() -> None:
    said = cannot_be_served("/nowhere.pem", (FQDN,))
    assert said == "/nowhere.pem cannot be read: No such file or directory; check the path, which starts here"


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"source": "self-signed", "renew_before": "2026-02-30"}, "no date"),
        ({"source": "self-signed", "locality": "a\nb"}, "string_pattern_mismatch|should match"),
        ({"source": "acme"}, "self-signed"),
    ],
)
def test_settings_say_what_is_wrong(values: dict[str, str], sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        settings(**values)
