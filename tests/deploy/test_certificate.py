from __future__ import annotations

import datetime
import socket
import ssl
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
from cryptography import x509

from deploy import certificate
from deploy.certificate import Certificate, endpoint, ensure_certificate


def handshake(files: Certificate, host: str) -> None:
    """A real client that trusts the certificate alone connects to it as `host`."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(files.certificate, files.key)
    ours, theirs = socket.socketpair()

    def accept() -> None:
        with server.wrap_socket(ours, server_side=True) as accepted:
            accepted.recv(1)

    thread = threading.Thread(target=accept)
    thread.start()
    try:
        trust = ssl.create_default_context(cafile=str(files.certificate))
        with trust.wrap_socket(theirs, server_hostname=host) as connected:
            connected.send(b"x")
    finally:
        theirs.close()
        thread.join()


@pytest.mark.parametrize("host", ["192.168.1.20", "localhost", "127.0.0.1", "booth.local"])
def test_certificate_serves_its_hosts(tmp_path: Path, host: str) -> None:
    handshake(ensure_certificate(tmp_path, hosts=["192.168.1.20", "booth.local"]), host)


def test_certificate_is_private(tmp_path: Path) -> None:
    files = ensure_certificate(tmp_path, hosts=[])
    assert files.key.stat().st_mode & 0o777 == 0o600


def test_certificate_lives_as_long_as_phones_accept(tmp_path: Path) -> None:
    files = ensure_certificate(tmp_path, hosts=[])
    made = x509.load_pem_x509_certificate(files.certificate.read_bytes())
    assert made.not_valid_after_utc - made.not_valid_before_utc < datetime.timedelta(days=398)


def test_certificate_is_used_again(tmp_path: Path) -> None:
    first = ensure_certificate(tmp_path, hosts=["192.168.1.20"]).certificate.read_bytes()
    again = ensure_certificate(tmp_path, hosts=["192.168.1.20"]).certificate.read_bytes()
    assert first == again


def test_certificate_is_made_anew_for_a_new_address(tmp_path: Path) -> None:
    first = ensure_certificate(tmp_path, hosts=["192.168.1.20"]).certificate.read_bytes()
    files = ensure_certificate(tmp_path, hosts=["10.0.0.7"])
    assert files.certificate.read_bytes() != first
    handshake(files, "10.0.0.7")


def test_certificate_near_its_end_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(certificate, "VALID_DAYS", 3)
    first = ensure_certificate(tmp_path, hosts=[]).certificate.read_bytes()
    monkeypatch.undo()
    assert ensure_certificate(tmp_path, hosts=[]).certificate.read_bytes() != first


def test_certificate_of_a_clock_that_was_ahead_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Ahead(datetime.datetime):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> Ahead:
            return super().now(tz) + datetime.timedelta(days=30)

    with monkeypatch.context() as clock:
        theirs = SimpleNamespace(datetime=Ahead, timedelta=datetime.timedelta, UTC=datetime.UTC)
        clock.setattr(certificate, "datetime", theirs)
        ensure_certificate(tmp_path, hosts=[])
    handshake(ensure_certificate(tmp_path, hosts=[]), "localhost")


def test_certificate_damaged_is_made_anew(tmp_path: Path) -> None:
    ensure_certificate(tmp_path, hosts=[]).certificate.write_text("no certificate")
    handshake(ensure_certificate(tmp_path, hosts=[]), "localhost")


def test_endpoint_escapes_what_twisted_would_split() -> None:
    files = Certificate(Path("/a:b/certificate.pem"), Path("/a:b/certificate.key"))
    assert endpoint(files, bind="::", port=8443) == (
        r"ssl:8443:privateKey=/a\:b/certificate.key:certKey=/a\:b/certificate.pem:interface=\:\:"
    )
