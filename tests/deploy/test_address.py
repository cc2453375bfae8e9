from __future__ import annotations

import ipaddress
import socket

import pytest

from deploy import address


def listening() -> socket.socket:
    sock = socket.create_server(("127.0.0.1", 0))
    return sock


def test_lan_addresses_are_ours_and_reachable() -> None:
    for found in address.lan_addresses():
        assert not ipaddress.ip_address(found).is_loopback
        with socket.socket() as sock:
            sock.bind((found, 0))  # only an address of this machine can be bound


@pytest.mark.parametrize(
    ("candidate", "reachable"),
    [
        ("192.168.1.20", True),
        ("203.0.113.9", True),
        ("127.0.1.1", False),
        ("169.254.7.7", False),
        ("0.0.0.0", False),
    ],
)
def test_address_reachable_by_neighbours(candidate: str, reachable: bool) -> None:
    assert address.is_reachable(candidate) is reachable


@pytest.mark.parametrize(
    ("scheme", "host", "port", "expected"),
    [
        ("http", "192.168.1.20", 8000, "http://192.168.1.20:8000"),
        ("http", "booth.local", 80, "http://booth.local"),
        ("https", "booth.local", 443, "https://booth.local"),
        ("https", "fd00::1", 8443, "https://[fd00::1]:8443"),
    ],
)
def test_url_names_the_port_only_when_needed(
    scheme: str, host: str, port: int, expected: str
) -> None:
    assert address.url(scheme=scheme, host=host, port=port) == expected


def test_public_host_is_the_address_listened_on() -> None:
    assert address.public_host("10.1.2.3") == "10.1.2.3"


def test_public_host_of_a_wildcard_is_no_wildcard() -> None:
    assert address.public_host("0.0.0.0") == next(iter(address.lan_addresses()), "127.0.0.1")


@pytest.mark.parametrize(
    ("bind", "host"),
    [("0.0.0.0", "127.0.0.1"), ("::", "::1"), ("", "127.0.0.1"), ("10.1.2.3", "10.1.2.3")],
)
def test_local_host(bind: str, host: str) -> None:
    assert address.local_host(bind) == host


def test_port_free_passes() -> None:
    with listening() as sock:
        port = sock.getsockname()[1]
    address.check_port(port, bind="127.0.0.1")
    address.check_port(port, bind="0.0.0.0")


@pytest.mark.parametrize("bind", ["127.0.0.1", "0.0.0.0"])
def test_port_taken_is_said_with_a_way_out(bind: str) -> None:
    with listening() as sock:
        port = sock.getsockname()[1]
        with pytest.raises(address.PortUnavailable) as caught:
            address.check_port(port, bind=bind)
    assert str(caught.value) == (f"Port {port} is taken; choose another: make run PORT={port + 1}")


@pytest.mark.parametrize("bind", ["192.0.2.77", "no-such-host.invalid"])
def test_address_of_another_machine_is_refused(bind: str) -> None:
    with pytest.raises(address.PortUnavailable) as caught:
        address.check_port(8000, bind=bind)
    assert str(caught.value) == f"{bind} is not an address of this machine."
