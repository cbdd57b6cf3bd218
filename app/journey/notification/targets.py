"""Decides where messages may be sent: when a URL is registered, and again at every connection.

The connector's own resolver judges a host name by its addresses at the moment of the connection,
and the connection then goes to a judged address (no DNS rebinding). The pool stays keyed by host
name, so that no two receivers share a TLS connection. A literal address never reaches a resolver;
that is why registration refuses literal addresses. `WEBHOOK_ALLOW_PRIVATE` admits a `host:port` for
the one organization that owns it: nobody else is sent there, so that no other organization shares
its connections. Source: OWASP SSRF; the deny table lists addresses that `ipaddress.is_global` of
Python 3.11 lets through.
"""

import ipaddress
import re
import socket
from dataclasses import dataclass

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from yarl import URL

from app.base.settings import Settings

LONGEST_URL = 2048
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

#: Networks denied in addition to those that are not `is_global`, each with its use.
_DENIED = tuple(
    ipaddress.ip_network(network)
    for network in (
        "0.0.0.0/8",  # "this" network
        "100.64.0.0/10",  # carrier-grade NAT
        "168.63.129.16/32",  # Azure's host
        "192.0.0.0/24",  # IETF protocol assignments; Oracle's metadata
        "192.88.99.0/24",  # 6to4 relays
        "198.18.0.0/15",  # benchmarking
        "224.0.0.0/3",  # multicast, reserved, broadcast
        "2001::/23",  # IETF protocol assignments, Teredo
        "2001:db8::/32",  # documentation
        "3fff::/20",  # documentation
    )
)
#: The IPv6 addresses that are assigned for routing. Outside are loopback, unique local, link-local,
#: site-local, IPv4-compatible, IPv4-translated, local NAT64, discard, segment routing, multicast.
_ROUTED_IPV6 = ipaddress.ip_network("2000::/3")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_NOT_PUBLIC = "Use a public host name; ask the plan's operations to allow an internal receiver."
_IN_PLAIN_TEXT = "Use https: this deployment does not send in plain text."
_NAMES_DENIED = ("localhost", "local", "internal", "localdomain", "home.arpa", "onion", "arpa")


#: The characters of a URL by RFC 3986; a receiver or a proxy may rewrite other characters.
_WRITTEN = re.compile(r"(?:[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*")


def as_written(url: str) -> URL:
    """Returns the URL byte for byte as registered, because its owner may have signed it."""
    return URL(url, encoded=True)


class BlockedTarget(OSError):
    """A host name with a forbidden address or port. No connection was tried."""


@dataclass(frozen=True, slots=True)
class Guard:
    """The targets to which this deployment sends."""

    #: (organization, `host:port`): the private targets that the deployment allows, and for whom.
    allowed: frozenset[tuple[str, str]]
    plain_http: bool
    #: This service's own host name, because the service sends nothing to itself.
    own_name: str = ""
    #: The ports that are sent to; those of `allowed` are beside them.
    ports: frozenset[int] = frozenset({443, 8443})

    @staticmethod
    def of(settings: Settings) -> "Guard":
        """Allows plain HTTP outside production alone, to targets of `WEBHOOK_ALLOW_PRIVATE`."""
        return Guard(
            allowed=frozenset(settings.private_targets),
            plain_http=settings.environment != "production",
            ports=settings.target_ports,
            own_name=(URL(settings.public_url).host or "").lower(),
        )

    def admits(self, host: str, port: int | None, organization: str | None = None) -> bool:
        """Whether the deployment allows `host:port`: for this organization, or (None) for any."""
        target = f"{host.lower()}:{port}"
        return any(
            target == listed and organization in (None, owner) for owner, listed in self.allowed
        )

    def fault(self, url: str, organization: str) -> str | None:
        """Returns the fault of an organization's target URL, as a sentence that says what to do."""
        if len(url) > LONGEST_URL:
            return f"Use a URL of at most {LONGEST_URL} characters."
        if not _WRITTEN.fullmatch(url):
            return (
                "Use a URL of plain ASCII characters, without blanks or backslashes; write other "
                "characters, and a % itself, as % and two hexadecimal digits."
            )
        try:
            parsed = as_written(url)
            host, port = parsed.host, parsed.port
        except ValueError:
            return "This is not a URL. Write https://host/path."
        if parsed.scheme not in ("https", "http") or not host:
            return "Use an https:// URL with a host name."
        if (fault := _fault_of_parts(url)) is not None:
            return fault
        if not self.admits(host, port, organization):
            return _NOT_PUBLIC if self.admits(host, port) else self._fault_of_host(parsed)
        if parsed.scheme == "http" and not self.plain_http:
            return _IN_PLAIN_TEXT
        return None

    def _fault_of_host(self, url: URL) -> str | None:
        host = url.host or ""
        if url.scheme != "https":
            return _IN_PLAIN_TEXT
        if self.own_name and host.lower().rstrip(".") == self.own_name:
            return "This is the service's own name. Use the receiver's."
        if (fault := _fault_of_name(host)) is not None or url.port in self.ports:
            return fault
        return f"Use one of the ports {', '.join(map(str, sorted(self.ports)))}."


def _fault_of_parts(url: str) -> str | None:
    """Finds a part of the URL that would not be sent as written; a sentence, or None."""
    authority, *rest = re.split("([/?#])", url.partition("://")[2], maxsplit=1)
    if "@" in authority:
        return "Leave user name and password out of the URL; use a custom header instead."
    if "%" in authority:
        return "Write the host name without %."
    if "#" in url:
        return "Leave the fragment (#…) out of the URL."
    if "".join(rest).partition("?")[1:] == ("?", ""):
        return "Leave out the question mark that nothing follows."
    return None


def _fault_of_name(host: str) -> str | None:
    labels = host.lower().rstrip(".").split(".")
    if ":" in host or all(_numeric(label) for label in labels[-1:]):
        return "Use a host name instead of an IP address."
    if len(labels) < 2 or any(
        labels[-n:] == denied.split(".") for denied in _NAMES_DENIED for n in (1, 2)
    ):
        return _NOT_PUBLIC
    return None


def _numeric(label: str) -> bool:
    """Whether some resolver reads a host with this last label as an address: 127, 0x7f, 0177."""
    return label.isdigit() or label.startswith("0x") or not label


def public(text: str) -> bool:
    """Whether messages may go to an address; looks inside mapped, NAT64 and 6to4 forms."""
    try:
        address: Address = ipaddress.ip_address(text.split("%", 1)[0])
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address):
        inner = _embedded_ipv4(address)
        if inner is not None:
            return public(str(inner))
        if address not in _ROUTED_IPV6:
            return False
    denied = any(address in network for network in _DENIED if network.version == address.version)
    return address.is_global and not address.is_multicast and not denied


def _embedded_ipv4(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """Returns the IPv4 address that an IPv6 address contains, if any."""
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour


class GuardedResolver(AbstractResolver):
    """Resolves a name for the connector, and refuses it unless every address is public."""

    def __init__(self, guard: Guard, resolver: AbstractResolver | None = None) -> None:
        self._guard = guard
        self._resolver = resolver or ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        admitted = self._guard.admits(host, port)
        if not admitted and port not in self._guard.ports:
            raise BlockedTarget("the port is not one of those that are sent to")
        addresses = await self._resolver.resolve(host, port, family)
        if admitted:
            return addresses
        if not all(public(address["host"]) for address in addresses):
            raise BlockedTarget("an address of the host is not public")
        return addresses

    async def close(self) -> None:
        await self._resolver.close()
