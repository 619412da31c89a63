"""Where a request comes from: the connection's address, or the trusted proxies' entry; nothing else is trusted."""

from __future__ import annotations

import ipaddress

from django.conf import settings
from django.http import HttpRequest

_ONE_HOUSEHOLD = 64
"""Bits of an IPv6 address that a provider gives to one customer, who may use any of the addresses below them."""


def client_address(request: HttpRequest) -> str | None:
    """The client's address; None on a socket without addresses.

    Each proxy appends the address that it was called from to X-Forwarded-For. With TRUSTED_PROXIES of them, the
    entry so far from the end is the first one that none but ours has written; those before it may be forged.
    """
    direct = _address(request.META.get("REMOTE_ADDR", ""))
    count: int = settings.TRUSTED_PROXIES
    if not count:
        return direct
    forwarded = [part.strip() for part in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")]
    return _address(forwarded[-count]) if len(forwarded) >= count and _address(forwarded[-count]) else direct


def lockout_address(request: HttpRequest) -> str | None:
    """The address that failed sign-ins are counted by: of IPv6 the part that stands for one customer."""
    text = client_address(request)
    if text is None or ipaddress.ip_address(text).version == 4:
        return text
    return str(ipaddress.ip_network((text, _ONE_HOUSEHOLD), strict=False).network_address)


def _address(text: str) -> str | None:
    """The address without port, brackets or zone; one of IPv4 however it is written. None if it is none."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return str(mapped or found)
