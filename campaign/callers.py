"""Who calls: an address to count by, and a browser in words a producer knows."""

from __future__ import annotations

import re
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final

from django.conf import settings
from django.http import HttpRequest

IPV6_OF_ONE: Final = 64
"""Bits: whoever has one IPv6 address has all that begin so."""

BROWSERS: Final = (
    ("Edge", r"Edg/(\d+)"),
    ("Chromium", r"Chrom(?:e|ium)/(\d+)"),
    ("Firefox", r"Firefox/(\d+)"),
    ("Safari", r"Version/(\d+)\S* (?:Mobile/\S+ )?Safari"),
)
SYSTEMS: Final = (
    ("Android", r"Android"),
    ("ChromeOS", r"CrOS"),
    ("iPhone", r"iPhone"),
    ("iPad", r"iPad"),
    ("Windows", r"Windows"),
    ("macOS", r"Mac OS X"),
    ("Linux", r"Linux"),
)


def address_of(request: HttpRequest) -> str:
    """The caller's address, or its network where it may choose among them; behind a proxy the one
    that the proxy has seen, which is what it put last."""
    told = request.META.get("REMOTE_ADDR") or ""
    if settings.USE_X_FORWARDED_HOST:
        told = request.headers.get("X-Forwarded-For", told).rpartition(",")[2].strip()
    try:
        address = ip_address(told)
    except ValueError:
        return ""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(ip_network((address, IPV6_OF_ONE), strict=False))
    return str(address)


def browser_of(request: HttpRequest) -> str:
    """“Chromium 140 on Linux”; empty where it is none that we know."""
    told = request.headers.get("User-Agent", "")
    browser = next(
        (f"{name} {seen[1]}" for name, mark in BROWSERS if (seen := re.search(mark, told))), ""
    )
    system = next((name for name, mark in SYSTEMS if re.search(mark, told)), "")
    return f"{browser} on {system}" if browser and system else browser or system
