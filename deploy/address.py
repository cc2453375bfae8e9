"""Where the server listens, and the address by which a phone in the same network reaches it."""

from __future__ import annotations

import errno
import ipaddress
import socket
from contextlib import suppress
from typing import Final

ANY: Final = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 (compared with, not bound to)
LOOPBACK: Final = "127.0.0.1"

PROBES: Final = ("192.0.2.1", "10.255.255.254", "172.31.255.254", "192.168.255.254", "224.0.0.251")
"""Nothing is sent to them; the kernel only says which of its addresses it would send from.
The first (RFC 5737) follows the default route, the rest find a private network without one."""


class PortUnavailable(Exception):
    """The message is one sentence for a person."""


def lan_addresses() -> tuple[str, ...]:
    """IPv4 addresses of this machine that its neighbours can reach, likeliest first."""
    found = dict.fromkeys(_sent_from())
    if not found:  # only then, because a name that nobody knows takes its time
        with suppress(OSError):
            for *_, address in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET):
                found[str(address[0])] = None
    return tuple(address for address in found if is_reachable(address))


def routed_addresses() -> tuple[str, ...]:
    """The same as far as the kernel knows them, at once: none while there is no network."""
    return tuple(address for address in _sent_from() if is_reachable(address))


def _sent_from() -> list[str]:
    found: dict[str, None] = {}
    for probe in PROBES:
        with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.connect((probe, 9))
            found[sock.getsockname()[0]] = None
    return list(found)


def is_ours(address: str) -> bool:
    """Whether this machine has the address, wherever its ways lead."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.bind((address, 0))
        except OSError as error:
            return error.errno != errno.EADDRNOTAVAIL
    return True


def is_reachable(address: str) -> bool:
    """Whether a neighbour could connect to it: neither this machine alone nor nowhere."""
    parsed = ipaddress.ip_address(address)
    return not (parsed.is_loopback or parsed.is_unspecified or parsed.is_link_local)


def public_host(bind: str) -> str:
    """The host to put into links."""
    if bind not in ANY:
        return bind
    return next(iter(lan_addresses()), LOOPBACK)


def local_host(bind: str) -> str:
    """The host by which this machine reaches its own server."""
    return {"::": "::1"}.get(bind, LOOPBACK) if bind in ANY else bind


def url(*, scheme: str, host: str, port: int) -> str:
    """An origin, without the port that its scheme implies."""
    netloc = f"[{host}]" if ":" in host else host
    implied = {"http": 80, "https": 443}[scheme]
    return f"{scheme}://{netloc}" if port == implied else f"{scheme}://{netloc}:{port}"


def check_port(port: int, *, bind: str) -> None:
    """Raises PortUnavailable when a server could not listen there."""
    try:
        family = socket.getaddrinfo(bind or None, port, type=socket.SOCK_STREAM)[0][0]
        with socket.socket(family, socket.SOCK_STREAM) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((bind, port))
    except socket.gaierror:
        raise PortUnavailable(f"{bind} is not an address of this machine.") from None
    except OSError as error:
        raise PortUnavailable(
            {
                errno.EADDRINUSE: f"Port {port} is taken; choose another: make run PORT={port + 1}",
                errno.EACCES: f"Port {port} is reserved for the system; choose one above 1023.",
                errno.EADDRNOTAVAIL: f"{bind} is not an address of this machine.",
            }.get(error.errno or 0, f"Port {port} cannot be opened: {error.strerror}.")
        ) from None
