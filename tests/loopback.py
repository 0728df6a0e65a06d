"""No test reaches past the machine it runs on."""

from __future__ import annotations

import socket
from ipaddress import ip_address
from typing import Any

import pytest

REAL_CONNECT = socket.socket.connect
REAL_CONNECT_EX = socket.socket.connect_ex
REAL_SENDTO = socket.socket.sendto
REAL_GETADDRINFO = socket.getaddrinfo


class NetworkRefusedError(RuntimeError):
    """A test wanted to leave the machine."""


def check(host: object) -> None:
    """Refuse every host but the loopback."""
    name = host.decode() if isinstance(host, bytes) else host
    if name in (None, "", "localhost", "0.0.0.0", "::"):  # noqa: S104 - compared with, not bound to
        return
    try:
        is_near = ip_address(str(name)).is_loopback
    except ValueError:
        is_near = False
    if not is_near:
        raise NetworkRefusedError(f"tests have no network: {name}")


def check_address(own: socket.socket, address: Any) -> None:
    """Refuse an address of the internet; socket files and pairs may pass."""
    if own.family in (socket.AF_INET, socket.AF_INET6):
        check(address[0])


def _connect(own: socket.socket, address: Any) -> None:
    check_address(own, address)
    REAL_CONNECT(own, address)


def _connect_ex(own: socket.socket, address: Any) -> int:
    check_address(own, address)
    return REAL_CONNECT_EX(own, address)


def _sendto(own: socket.socket, data: bytes, *arguments: Any) -> int:
    check_address(own, arguments[-1])
    return REAL_SENDTO(own, data, *arguments)


def _getaddrinfo(host: Any, *arguments: Any, **options: Any) -> Any:
    check(host)
    return REAL_GETADDRINFO(host, *arguments, **options)


def close_network(patch: pytest.MonkeyPatch) -> None:
    """Guard every way out that Python's own sockets know."""
    patch.setattr(socket.socket, "connect", _connect)
    patch.setattr(socket.socket, "connect_ex", _connect_ex)
    patch.setattr(socket.socket, "sendto", _sendto)
    patch.setattr(socket, "getaddrinfo", _getaddrinfo)
