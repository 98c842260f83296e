"""Where a call may go: the form of a URL, its name and port, and the addresses that are not the public internet."""

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv4Network, IPv6Address, IPv6Network
from urllib.parse import quote

import idna

from nexuscore.kernel.errors import ExternalServiceError

Address = IPv4Address | IPv6Address

LONGEST_URL = 2048


class OutboundError(ExternalServiceError):
    """A call to an outside address did not come to an answer; `code` says why."""

    code = "outbound_failed"
    message = "The address did not answer properly."


class TargetRefused(OutboundError):
    """The rules forbid the address. No connection was made."""

    code = "target_refused"
    message = "This address must not be called."


# What Python calls global is too much: it lets NAT64, 6to4 and IPv4-compatible forms of 127.0.0.1 through.
_PRIVATE = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",
        "127.0.0.0/8",
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "100.64.0.0/10",  # carriers' own
        "169.254.0.0/16",  # link-local, and most clouds' metadata
        "168.63.129.16/32",  # Azure's
    )
)
_RESERVED = tuple(
    IPv4Network(network)
    for network in (
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
)
_OPEN_V6 = IPv6Network("2000::/3")
_RESERVED_V6 = tuple(
    IPv6Network(network)
    for network in (
        "2001::/23",  # Teredo, ORCHID and other assignments
        "2001:db8::/32",
        "2002::/16",  # 6to4: another address inside
        "2620:4f:8000::/48",
        "3fff::/20",
    )
)
_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9a-f:.]+\]|[^\[\]/?#@:\\%]+)(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>/[^?#\\]*)?(?P<query>\?[^#\\]*)?",
    re.IGNORECASE,
)
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_NAME = re.compile(rf"(?=.{{1,253}}\Z)(?:{_LABEL}\.)*{_LABEL}")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_INSIDE = ("localhost", "local", "internal", "intranet", "lan", "home.arpa", "onion")


@dataclass(frozen=True, slots=True)
class Policy:
    """What may be called. With `loopback`, for development, this machine too, on any port and without TLS."""

    loopback: bool = False
    ports: frozenset[int] = frozenset({443, 8443})

    def refuses(self, address: Address) -> TargetRefused | None:
        """Why a connection to `address` is forbidden; None when it is allowed."""
        if self.loopback and (address == IPv6Address("::1") or address in IPv4Network("127.0.0.0/8")):
            return None
        v4 = isinstance(address, IPv4Address)
        if any(address in network for network in _PRIVATE) if v4 else address not in _OPEN_V6:
            return TargetRefused("This address is in a private network.")
        if any(address in network for network in (_RESERVED if v4 else _RESERVED_V6)):
            return TargetRefused("This address is reserved.")
        return None


@dataclass(frozen=True, slots=True)
class Target:
    """A URL, taken apart once: what was checked is what is called."""

    scheme: str
    host: str
    port: int
    path: str
    address: Address | None

    @property
    def origin(self) -> tuple[str, str, int]:
        """What connections are shared by."""
        return self.scheme, self.host, self.port

    @property
    def authority(self) -> str:
        """The `Host` header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.scheme == "https" else 80) else f"{host}:{self.port}"


def target(url: str, policy: Policy) -> Target:
    """`url` taken apart; `TargetRefused` when its form, name, port or literal address is forbidden."""
    found = None if len(url) > LONGEST_URL else _URL.fullmatch(url)
    if found is None or any(ord(char) <= 32 or ord(char) == 127 for char in url):
        raise TargetRefused("This is not a plain https address without user name and fragment.")
    scheme = found["scheme"].lower()
    host, address = _host(found["host"])
    port = int(found["port"]) if found["port"] else 443 if scheme == "https" else 80
    path = quote((found["path"] or "/") + (found["query"] or ""), safe="/?&=%:;@!$'()*+,~-._[]")
    here = policy.loopback and (address.is_loopback if address else _under(host, "localhost"))
    if not here:
        _check_public(scheme, host, port, address, policy)
    elif not 0 < port < 65536:
        raise TargetRefused("This port is not allowed.")
    return Target(scheme, host, port, path, address)


def _check_public(scheme: str, host: str, port: int, address: Address | None, policy: Policy) -> None:
    if scheme != "https":
        raise TargetRefused("The address must start with https://.")
    if port not in policy.ports:
        raise TargetRefused("This port is not allowed.")
    if address is not None:
        refused = policy.refuses(address)
        if refused is not None:
            raise refused
    elif "." not in host or any(_under(host, name) for name in _INSIDE):
        raise TargetRefused("This name is not a public one.")


def _under(host: str, name: str) -> bool:
    return host == name or host.endswith(f".{name}")


def _host(text: str) -> tuple[str, Address | None]:
    """The host as it is resolved, and the address when it is one. Nothing that a resolver could read otherwise."""
    if text.startswith("["):
        try:
            address: Address = IPv6Address(text[1:-1])
        except AddressValueError:
            raise TargetRefused("The host of this address is malformed.") from None
        return str(address), address
    host = text.lower()
    if not host.isascii():
        try:
            host = idna.encode(host, strict=True).decode()
        except idna.IDNAError:
            raise TargetRefused("The host of this address is malformed.") from None
    if _NUMBER.fullmatch(host.rpartition(".")[2]):  # 2130706433, 0x7f.1, 0177.0.0.1: some read these as addresses
        try:
            return host, IPv4Address(host)
        except AddressValueError:
            raise TargetRefused("The host of this address is malformed.") from None
    if not _NAME.fullmatch(host):
        raise TargetRefused("The host of this address is malformed.")
    return host, None
