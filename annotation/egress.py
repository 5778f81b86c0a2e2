"""The one door for requests that Laurel sends to an address somebody typed in.

Such an address must not reach what only this machine can reach: itself, the network it stands in, the
metadata service of a cloud. So the name is resolved here, every address it stands for must be a public one,
and the connection goes to the very address that was looked at: a name that answers differently the second
time is never asked a second time. No redirect is followed, no proxy of the environment is used, the answer's
body is not read, and all of it ends after ten seconds.

`allowed` names what may be reached all the same: networks, and hosts by their name (LAUREL_WEBHOOK_ALLOW).
"""

import http.client
import socket
import ssl
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any
from urllib.parse import urlsplit

Allowed = str | IPv4Network | IPv6Network

Address = tuple[socket.AddressFamily, tuple[Any, ...]]  # as getaddrinfo gives it

SECONDS = 10.0
LONGEST_URL = 1000

_GLOBAL_V6 = ip_network("2000::/3")  # mapped (::ffff:0:0/96), NAT64 and local addresses are outside it
_NEVER = (
    ip_network("192.0.0.0/24"),  # protocol assignments
    ip_network("192.88.99.0/24"),  # 6to4 relays
    ip_network("2001::/32"),  # Teredo, and below 6to4: IPv4 addresses in disguise
    ip_network("2002::/16"),
)


class EgressError(Exception):
    """Nothing arrived, or not as it should. code: what went wrong; detail: an address, a status, a reason.

    Codes: url, name, private, unreachable, tls, slow, garbled, redirect, status. Before the first three no
    connection was made.
    """

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"{code} {detail}".strip())


@dataclass(frozen=True)
class Destination:
    secure: bool
    host: str  # a name in ASCII or an address, without brackets
    port: int
    path: str


def post(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    allowed: Sequence[Allowed] = (),
    seconds: float = SECONDS,
) -> int:
    """POST to the address and return the status, which is one of success. Raises EgressError."""
    to = destination(url)
    addresses = _checked_addresses(to, allowed)
    connection = (_SecureConnection if to.secure else _Connection)(to, addresses, seconds)
    try:
        connection.request("POST", to.path, body=body, headers={"User-Agent": "Laurel", **headers})
        status = connection.getresponse().status
        connection.check_time()  # headers that were cut off look like headers that end
    except (OSError, http.client.HTTPException) as error:
        raise _why(error, cut=connection.cut) from error
    finally:
        connection.close()
    if 300 <= status < 400:
        raise EgressError("redirect", str(status))
    if not 200 <= status < 300:
        raise EgressError("status", str(status))
    return status


def destination(url: str) -> Destination:
    """The parts of an http or https address. Raises EgressError for any other."""
    if len(url) > LONGEST_URL or not url.isprintable() or " " in url or "\\" in url:
        raise EgressError("url")
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").rstrip(".").encode("idna").decode()
        port = parts.port
        path = (parts.path or "/").encode("ascii").decode()
        query = parts.query.encode("ascii").decode()
    except ValueError as error:  # UnicodeError is one
        raise EgressError("url") from error
    if parts.scheme not in ("http", "https") or not host or parts.username is not None or port == 0:
        raise EgressError("url")
    secure = parts.scheme == "https"
    return Destination(secure, host, port or (443 if secure else 80), f"{path}?{query}" if query else path)


def is_public(address: str) -> bool:
    """Whether anybody on the Internet could reach this address as well."""
    ip = ip_address(address.partition("%")[0])
    if any(ip in network for network in _NEVER if network.version == ip.version):
        return False
    if ip.version == 6 and ip not in _GLOBAL_V6:
        return False
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified)


def _checked_addresses(to: Destination, allowed: Sequence[Allowed]) -> list[Address]:
    """What the name stands for: all of it public or allowed, or the whole name is refused."""
    try:
        found = socket.getaddrinfo(to.host, to.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise EgressError("name", to.host) from error
    addresses: list[Address] = list(dict.fromkeys((family, place) for family, _, _, _, place in found))
    for _family, (address, *_) in addresses:
        if not is_public(str(address)) and not _is_allowed(to.host, str(address), allowed):
            raise EgressError("private", str(address))
    if not addresses:
        raise EgressError("name", to.host)
    return addresses


def _is_allowed(host: str, address: str, allowed: Sequence[Allowed]) -> bool:
    ip = ip_address(address.partition("%")[0])
    return any(
        host.lower() == one.lower() if isinstance(one, str) else one.version == ip.version and ip in one
        for one in allowed
    )


class _Connection(http.client.HTTPConnection):
    """A connection to addresses that were checked, cut off at its deadline whatever the other side does."""

    def __init__(self, to: Destination, addresses: Sequence[Address], seconds: float) -> None:
        super().__init__(to.host, to.port, timeout=seconds)
        self.addresses = addresses
        self.seconds = seconds
        self.cut = False
        self._timer = threading.Timer(seconds, self._cut)
        self._timer.daemon = True

    def connect(self) -> None:
        self._timer.start()
        self.sock = self._dial()
        self.check_time()

    def close(self) -> None:
        self._timer.cancel()
        super().close()

    def _dial(self) -> socket.socket:
        """The first address that answers; nothing is resolved again."""
        failed: OSError = OSError("no address")
        for family, address in self.addresses:
            dialled = socket.socket(family, socket.SOCK_STREAM)
            dialled.settimeout(self.seconds / len(self.addresses))
            try:
                dialled.connect(address)
            except OSError as error:
                dialled.close()
                failed = error
            else:
                return dialled
        raise failed

    def check_time(self) -> None:
        """Asked wherever the timer may have fired without a socket to cut off."""
        if self.cut:
            raise TimeoutError

    def _cut(self) -> None:
        self.cut = True
        if self.sock is not None:
            with suppress(OSError):
                socket.socket.shutdown(self.sock, socket.SHUT_RDWR)  # of a TLS socket what is below it


class _SecureConnection(_Connection):
    """The certificate must be the host's, not the address's."""

    default_port = http.client.HTTPS_PORT

    def connect(self) -> None:
        super().connect()
        context = ssl.create_default_context()
        secured = context.wrap_socket(self.sock, server_hostname=self.host, do_handshake_on_connect=False)
        self.sock = secured  # before the handshake, so that it can be cut off too
        self.check_time()
        secured.do_handshake()


def _why(error: Exception, *, cut: bool) -> EgressError:
    if cut or isinstance(error, TimeoutError):
        return EgressError("slow")
    if isinstance(error, ssl.SSLError):
        return EgressError("tls", getattr(error, "verify_message", "") or error.reason or "")
    if isinstance(error, ConnectionResetError | BrokenPipeError | http.client.HTTPException):
        return EgressError("garbled", type(error).__name__)
    return EgressError("unreachable", getattr(error, "strerror", None) or type(error).__name__)
