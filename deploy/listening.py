"""Where the web server listens, and what it says of itself."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from deploy import address
from deploy.certificate import Certificate, endpoint, ensure_certificate
from deploy.exits import ExitCode, StartFailure
from deploy.var_folder import VarFolder

LOOK_LIMIT_S: Final = 40.0
"""Longer than a bucket that hangs takes to be given up (deploy/settings.py)."""

PARTS: Final = {
    "database": "The database does not answer ({}): nothing works until it does.",
    "migrations": "The database is not up to date ({}).",
    "files": "The pictures' storage is away ({}): no selfie is taken and no picture shown until it"
    " is back. Recalls work.",
    "owner": "The pictures here are another database's ({}): strays are not deleted."
    " docs/restoring.md says what to do.",
    "broker": "The broker does not answer ({}): no figurine is made until it does.",
    "channels": "The channel layer does not answer ({}): screens and phones hear later.",
}
"""Parts of `/readyz` that a person should know of who starts everything, and in which words."""


@dataclass(frozen=True, kw_only=True)
class Listening:
    """Where the web server listens and what the world calls it."""

    bind: str
    port: int
    public_url: str
    certificate: Certificate | None
    host: str = ""
    """Where phones find this machine, as far as it knows; empty where the operator has said."""

    @classmethod
    def plan(
        cls, *, bind: str, port: int, https: bool, public_url: str, var: VarFolder
    ) -> Listening:
        """Checks the port, makes the certificate. Raises StartFailure."""
        try:
            address.check_port(port, bind=bind)
        except address.PortUnavailable as error:
            raise StartFailure(ExitCode.PORT_UNAVAILABLE, str(error)) from None
        host = address.public_host(bind)
        certificate = None
        if https:
            hosts = {host, *address.lan_addresses()}
            certificate = ensure_certificate(var.path, hosts=hosts)
        scheme = "https" if https else "http"
        return cls(
            bind=bind,
            port=port,
            public_url=public_url or address.url(scheme=scheme, host=host, port=port),
            certificate=certificate,
            host="" if public_url or bind not in address.ANY else host,
        )

    @property
    def options(self) -> tuple[str, ...]:
        """daphne's."""
        if self.certificate:
            return ("-e", endpoint(self.certificate, bind=self.bind, port=self.port))
        return ("-b", self.bind, "-p", str(self.port))

    def allowed_hosts(self, told: str) -> str:
        """Every name by which this machine may be called, for Django; where the operator has told
        them, those and what it calls itself."""
        machine = socket.gethostname().lower()
        public = urlsplit(self.public_url).hostname or ""
        named = told.split(",") if told else [public, machine, f"{machine}.local"]
        local = ["localhost", address.LOOPBACK, "[::1]", address.local_host(self.bind)]
        others = [] if told else address.lan_addresses()
        return ",".join(dict.fromkeys((*named, *local, *others)))

    def moved_to(self) -> str:
        """The address that this machine has instead of the one in its links; empty while that is
        its own, also where a VPN takes the ways that lead from it; or it has none."""
        now = address.routed_addresses()
        is_here = not now or self.host in now or address.is_ours(self.host)
        return "" if not self.host or is_here else now[0]

    def is_up(self) -> bool:
        """Whether the server answers. Blocks up to 2 s."""
        return bool(self._get("/livez", within_s=2))

    def lacks(self) -> dict[str, str]:
        """What the server says that it has not: for each part the name of its error. Empty where
        it does not answer.

        Blocks as long as a bucket that hangs may take, or until the server ends.
        """
        told = self._get("/readyz", within_s=LOOK_LIMIT_S)
        words = json.loads(told) if told else {}
        return {part: word for part, word in words.items() if part in PARTS and word != "ok"}

    def _get(self, path: str, *, within_s: float) -> bytes:
        """Empty where nothing is said, or something else."""
        host = address.local_host(self.bind)
        connection = http.client.HTTPConnection(host, self.port, timeout=within_s)
        if self.certificate:
            trust = ssl.create_default_context(cafile=str(self.certificate.certificate))
            connection = http.client.HTTPSConnection(
                host, self.port, timeout=within_s, context=trust
            )
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.read() if response.status in (200, 503) else b""
        except (OSError, http.client.HTTPException):
            return b""
        finally:
            connection.close()
