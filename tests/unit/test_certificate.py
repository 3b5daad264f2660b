"""Facts and operations about certificates."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pyinfra.api.exceptions import FactProcessError
from pyinfra.api.state import StateStage
from pyinfra.context import ctx_host, ctx_state
from pyinfra_testing.util import FakeState, create_host

import operations.certificate
from facts.certificate import Certificate, CertificateState, KeyState, PublicKey
from facts.clock import ClockState
from operations import certificate as operations_certificate
from operations import foresight
from operations.openssl import openssl_configuration, subject_of
from tests.unit.generated import NOW, seams

PEM = "/etc/ssl/certs/portal.pem"


@pytest.fixture
def known_time() -> Iterator[None]:
    with seams("certificate"):
        yield


@pytest.mark.parametrize("fact", [Certificate, PublicKey])
@pytest.mark.parametrize("output", [["access 644 root:root", "no PEM"], ["no access"], [""]])
def test_garbage_is_an_error_that_shows_it(fact: type[Certificate | PublicKey], output: list[str]) -> None:
    with pytest.raises(FactProcessError) as caught:
        fact().process(output)
    assert repr(output) in str(caught.value)
    assert caught.value.__cause__ is None  # pyinfra would show that instead


def test_a_file_without_certificate_is_garbage() -> None:
    with pytest.raises(FactProcessError, match="no certificate"):
        Certificate().process(["access 644 root:root"])


def test_only_certificates_leave_the_host(tmp_path: Path) -> None:
    pem = tmp_path / "it's both.pem"
    certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    pem.write_text(f"-----BEGIN PRIVATE KEY-----\nSECRET\n-----END PRIVATE KEY-----\n{certificate}")
    assert shell(Certificate().command(str(pem)).get_raw_value()).endswith(certificate)
    assert "SECRET" not in shell(Certificate().command(str(pem)).get_raw_value())
    assert shell(Certificate().command(str(tmp_path / "none")).get_raw_value()) == ""
    assert shell(PublicKey().command(str(tmp_path / "none")).get_raw_value()) == ""


def test_certificate_is_as_the_manual_has_it(tmp_path: Path) -> None:
    odd = 'München $x #1 "q" \\ it\'s, a+b=c;'
    subject = subject_of("portal.example.org", "DE", "Bavaria", odd, "DCOR-med")
    text = openssl_configuration(subject, ("portal.example.org", "www.example.org"), ("10.5.4.3", "::1"), ("a@b.org",))
    key, pem = tmp_path / "k", tmp_path / "c"
    as_root = "".join(f"{line}\n" for line in ("chown() { :; }", "sync() { :; }"))  # tests need no root
    shell_script(as_root + operations_certificate._MAKE_KEY, key, tmp_path / ".k", "2048")
    assert key.stat().st_mode & 0o777 == 0o600
    shell_script(as_root + operations_certificate._MAKE_CERTIFICATE, pem, tmp_path / ".c", key, "3650", text=text)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c", "k"]
    state = Certificate().process(shell(Certificate().command(str(pem)).get_raw_value()).splitlines())
    public = PublicKey().process(shell(PublicKey().command(str(key)).get_raw_value()).splitlines())
    assert state is not None and public is not None
    assert dict(state.subject) == {"CN": "portal.example.org", "C": "DE", "ST": "Bavaria", "L": odd, "O": "DCOR-med"}
    assert (state.dns, state.addresses) == (("portal.example.org", "www.example.org"), ("10.5.4.3", "::1"))
    assert (state.emails, state.self_signed, state.key_type, state.key_bits) == (("a@b.org",), True, "RSA", 2048)
    assert state.public_key == public.public_key
    assert state.days_left(state.not_before) == 3650
    assert state.days_left(state.not_after + timedelta(seconds=1)) == -1


def test_control_characters_are_refused() -> None:
    with pytest.raises(ValueError, match="control character"):
        openssl_configuration({"CN": "a\n[server]"}, (), (), ())


def certificate(**changes: Any) -> dict[str, Any]:
    return {"not_after": NOW + timedelta(days=29, hours=23), "access": "644 root:root", **changes}


@pytest.mark.usefixtures("known_time")
@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        (certificate(), f"{PEM} expires on 2026-12-21, in 29 days: renew it before"),
        (certificate(not_after=NOW), f"{PEM} expired on 2026-11-21: replace it now"),
        (certificate(not_after=NOW + timedelta(days=30)), ""),
    ],
)
def test_expiry_is_warned_of_once(state: dict[str, Any], sentence: str, caplog: pytest.LogCaptureFixture) -> None:
    fake = FakeState()
    host = create_host(fake, facts={"certificate.Certificate": {f"path={PEM}": state}})
    with ctx_state.use(fake), ctx_host.use(host):
        for _ in range(2):
            assert list(operations.certificate.watch._inner(certificate=PEM, warn_days=30)) == []
    assert [record.getMessage() for record in caplog.records] == ([sentence] if sentence else [])


SUBJECT = {"CN": "portal.example.org", "O": "Example"}


def found(**changes: Any) -> CertificateState:
    values: dict[str, Any] = {
        "subject": tuple(SUBJECT.items()), "issuer": (), "dns": ("portal.example.org", "www.example.org"),
        "addresses": ("192.0.2.1",), "emails": ("a@example.org",), "key_type": "RSA", "key_bits": 4096,
        "not_before": NOW - timedelta(days=9), "not_after": NOW + timedelta(days=900), "fingerprint": "ab" * 32,
        "public_key": "11", "self_signed": True, "access": "644 root:root",
    }  # fmt: skip
    return CertificateState(**{**values, **changes})


@pytest.mark.usefixtures("known_time")
@pytest.mark.parametrize(
    ("changes", "wanted", "says"),
    [
        (
            {"addresses": ("192.0.2.9", "2001:db8:0::9"), "dns": ("portal.example.org", "old.example.org")},
            {},
            "its names change: + DNS www.example.org, IP 192.0.2.1; - DNS old.example.org, IP 192.0.2.9, "
            "IP 2001:db8::9",
        ),
        (
            {"dns": ("portal.example.org", "www.example.org", "192.0.2.1"), "addresses": ()},
            {},
            "its names change: + IP 192.0.2.1; - DNS 192.0.2.1",
        ),
        ({"emails": ()}, {}, "its names change: + e-mail a@example.org"),
        ({"subject": (("CN", "portal.example.org"), ("C", "DE"))}, {}, "its subject changes: + O=Example; - C=DE"),
        ({"subject": (("CN", "portal.example.org"), ("O", "Old"))}, {}, "its subject changes: + O=Example; - O=Old"),
        ({"public_key": "22"}, {}, "the key beside it is another"),
        ({"not_after": NOW}, {}, "it has expired"),
        ({}, {"renew_before": "2026-11-20"}, "it is from before 2026-11-20"),
    ],
)
@pytest.mark.parametrize("stage", [StateStage.Prepare, StateStage.Execute])
def test_who_pinned_a_certificate_is_warned_of_before_it_is_replaced(
    changes: dict[str, Any], wanted: dict[str, Any], says: str, stage: StateStage, caplog: pytest.LogCaptureFixture
) -> None:
    fake = FakeState()
    fake.current_stage = stage
    facts = {
        "certificate.Certificate": {f"path={PEM}": found(**changes)},
        "certificate.PublicKey": {"path=/key": KeyState("600 root:root", "11")},
        "clock.Clock": ClockState(),
    }
    arguments = {
        "certificate": PEM, "key": "/key", "fqdn": "portal.example.org", "aliases": ["www.example.org"],
        "addresses": ["192.0.2.1"], "email": "a@example.org", "organization": "Example", "hint": "see tls_addresses",
        **wanted,
    }  # fmt: skip
    with ctx_state.use(fake), ctx_host.use(create_host(fake, facts=facts)):
        for _ in range(2):
            assert list(operations.certificate.self_signed._inner(**arguments))
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    replaced = f"{PEM} will be replaced, since {says}: whoever trusts the present one (SHA-256 {'ab' * 32})"
    assert record.getMessage() == f"{replaced} needs the new one; see tls_addresses"


@pytest.mark.usefixtures("known_time")
def test_one_that_is_made_for_the_first_time_is_no_warning(caplog: pytest.LogCaptureFixture) -> None:
    fake = FakeState()
    facts = {
        "certificate.Certificate": {f"path={PEM}": None},
        "certificate.PublicKey": {"path=/key": None},
    }
    with ctx_state.use(fake), ctx_host.use(create_host(fake, facts=facts)):
        assert list(operations.certificate.self_signed._inner(certificate=PEM, key="/key", fqdn="portal.example.org"))
    assert [record.levelname for record in caplog.records if record.levelname != "INFO"] == []


def test_what_will_be_written_is_foreseen() -> None:
    fake = FakeState()
    key = "/etc/ssl/private/portal.key"
    nothing = {"certificate.Certificate": {f"path={PEM}": None}, "certificate.PublicKey": {f"path={key}": None}}
    with ctx_state.use(fake), ctx_host.use(create_host(fake, facts=nothing)):
        commands = operations.certificate.self_signed._inner(certificate=PEM, key=key, fqdn="portal.example.org")
        next(iter(commands))  # pyinfra stops there while it prepares
        assert foresight.touched(PEM) and foresight.touched(key)


def shell(command: str) -> str:
    return subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True).stdout


def shell_script(body: str, *arguments: Path | str, text: str = "") -> None:
    subprocess.run(["sh", "-c", body, "test", *map(str, arguments)], input=text, text=True, check=True)
