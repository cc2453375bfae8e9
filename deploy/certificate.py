"""A self-made certificate: browsers keep the live camera from pages that come by plain http."""

from __future__ import annotations

import datetime
import ipaddress
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from deploy.var_folder import write_private

VALID_DAYS: Final = 397
"""Apple's clients refuse certificates that live longer than 398 days."""

RENEW_DAYS: Final = 7


@dataclass(frozen=True)
class Certificate:
    """Both files in PEM."""

    certificate: Path
    key: Path


def ensure_certificate(folder: Path, *, hosts: Iterable[str]) -> Certificate:
    """Returns the certificate in `folder`; makes it if missing, near its end, not valid yet or
    without a host."""
    files = Certificate(folder / "certificate.pem", folder / "certificate.key")
    names = {*hosts, "localhost", "127.0.0.1", "::1", socket.gethostname().lower()}
    if not (files.key.exists() and _serves(files.certificate, names)):
        _make(files, names=names)
    return files


def endpoint(files: Certificate, *, bind: str, port: int) -> str:
    """The server's description of where to listen, in Twisted's endpoint language."""
    parts = {"privateKey": files.key, "certKey": files.certificate, "interface": bind}
    escaped = (
        f"{key}={str(value).replace(chr(92), chr(92) * 2).replace(':', chr(92) + ':')}"
        for key, value in parts.items()
    )
    return ":".join(("ssl", str(port), *escaped))


def _serves(path: Path, names: set[str]) -> bool:
    try:
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return False
    renew_at = certificate.not_valid_after_utc - datetime.timedelta(days=RENEW_DAYS)
    alternative = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    held = {
        *alternative.get_values_for_type(x509.DNSName),
        *map(str, alternative.get_values_for_type(x509.IPAddress)),
    }
    now = datetime.datetime.now(datetime.UTC)
    # Not yet: the clock was ahead when it was made.
    return certificate.not_valid_before_utc <= now < renew_at and names <= held


def _make(files: Certificate, *, names: set[str]) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Diorama on this machine")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))  # clocks of phones differ
        .not_valid_after(now + datetime.timedelta(days=VALID_DAYS))
        .add_extension(x509.SubjectAlternativeName(_general_names(names)), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    write_private(
        files.key,
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
    )
    write_private(files.certificate, certificate.public_bytes(serialization.Encoding.PEM))


def _general_names(names: set[str]) -> list[x509.GeneralName]:
    def general(name: str) -> x509.GeneralName:
        try:
            return x509.IPAddress(ipaddress.ip_address(name))
        except ValueError:
            return x509.DNSName(name)

    return [general(name) for name in sorted(names)]
