"""Which addresses may be fetched: public web addresses, and no way round through names, redirects or odd spellings.

Names are not judged, since what a name means can change between a look and a connection. Every socket is: `Guard` makes
them, and refuses the ones that would lead into a private network.
"""

import ipaddress
import re
import socket
from contextlib import suppress
from urllib.parse import quote, urlsplit

from yarl import URL

MAX_URL_LENGTH = 8000
NOT_PUBLIC = "not a public address"
_KEPT_IN_ADDRESSES = "/?&=+:@!$'()*,;~%"
# All that is given out on the internet so far; what is outside is site-local, or stands for other addresses.
_GIVEN_OUT = ipaddress.ip_network("2000::/3")
# Ranges that lead to other addresses, or into this network, and that `is_global` calls global or leaves open.
_INDIRECT = [ipaddress.ip_network(network) for network in ("2002::/16", "2001::/32", "192.0.0.0/24", "192.88.99.0/24")]
# A query that can be sent as it was given.
_QUOTED = re.compile(r"(?:[A-Za-z0-9._~:/?@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+")


def checked_url(url: str) -> URL:
    """Read an address that may be fetched.

    Raises:
        ValueError: if it is too long, no http or https address, has no host or a user's name in it, or cannot be read.
    """
    if len(url) > MAX_URL_LENGTH:
        raise ValueError(f"the address has {len(url)} characters; {MAX_URL_LENGTH} at most are taken")
    try:
        parsed = URL(url)
        host, port, scheme = parsed.host, parsed.port, parsed.scheme
    except (ValueError, UnicodeError) as error:
        raise ValueError(f"not an address: {error}") from error
    if scheme not in ("http", "https"):
        raise ValueError(f"not an address on the web: its scheme is {scheme!r}")
    if not host or not port:
        raise ValueError("the address has no host")
    if parsed.user is not None or parsed.password is not None:
        raise ValueError("the address has a user's name in it")
    if any(character.isspace() or not character.isprintable() for character in host):
        raise ValueError("the host's name has characters that no name has")
    # yarl unquotes what it takes to mean the same, such as %2F in a query, which some servers tell apart.
    query = urlsplit(url).query
    if _QUOTED.fullmatch(query):
        return URL.build(
            scheme=scheme, authority=parsed.raw_authority, path=parsed.raw_path, query_string=query, encoded=True
        )
    return parsed.with_fragment(None)


def requoted(url: str) -> str:
    """Quote an address again that was unquoted as a whole, as `ddgs` does; `%2F` and `%2B` are lost for good.

    `#` is quoted too: the address of a picture has no fragment, so it was `%23`.
    """
    scheme, colon, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{colon}{host}{slash}{quote(path, safe=_KEPT_IN_ADDRESSES)}"


def host_and_port_of(url: str) -> str:
    """The host and port of an address, "" where it has none: rows of one host are fetched by one worker."""
    try:
        parts = urlsplit(url)
        return f"{parts.hostname or ''}:{parts.port or ''}"
    except ValueError:
        return ""


def is_public(address: str) -> bool:
    """Whether an IP address is one that anybody on the internet may reach, and not a way round to another one."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    if parsed.version == 6 and parsed not in _GIVEN_OUT:
        return False
    return parsed.is_global and not parsed.is_multicast and not any(parsed in network for network in _INDIRECT)


def literal_addresses(host: str) -> list[str]:
    """The IP address that a host is without a name server: one written out in any spelling, or this machine's name."""
    host = host.rstrip(".")
    if host == "localhost" or host.endswith(".localhost"):
        return ["127.0.0.1"]
    with suppress(OSError):
        return [socket.inet_ntoa(socket.inet_aton(host))]
    with suppress(ValueError):
        return [str(ipaddress.ip_address(host))]
    return []


class Guard:
    """Makes sockets to public addresses only.

    Args:
        allowed: IP:PORT pairs that are taken although they are private.

    Raises:
        ValueError: if one of them is none.
    """

    def __init__(self, allowed: tuple[str, ...] = ()):
        self._allowed = {_ip_and_port(pair) for pair in allowed}

    def permits(self, address: str, port: int) -> bool:
        """Whether a connection may be made."""
        return is_public(address) or (str(ipaddress.ip_address(address.partition("%")[0])), port) in self._allowed

    def make_socket(self, address_info: tuple) -> socket.socket:
        """aiohttp's `socket_factory`: called with every address that is about to be connected to.

        Raises:
            OSError: if the address is not public.
        """
        family, kind, protocol, _, place = address_info
        if not self.permits(place[0], place[1]):
            raise OSError(f"{NOT_PUBLIC}: {place[0]}")
        return socket.socket(family, kind, protocol)


def _ip_and_port(pair: str) -> tuple[str, int]:
    address, _, port = pair.rpartition(":")
    try:
        return str(ipaddress.ip_address(address.strip("[]"))), int(port)
    except ValueError:
        raise ValueError(f"{pair!r} is not IP:PORT") from None
