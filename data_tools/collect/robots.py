"""What a site says against its pictures being used: robots.txt, `X-Robots-Tag` and `tdm-reservation`.

RFC 9309 (robots.txt); the header is Google's, its `noai` and `noimageai` DeviantArt's; TDMRep is a report of a W3C
community group.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from protego import Protego

from data_tools.settings import USER_AGENT_NAME
from data_tools.work.schema import Reason

ROBOTS_BYTES = 512_000
_CRAWLER = re.compile(r"\s*user[-\s]*agent(?:\s*:|\s)(?P<name>[^#]*)", re.IGNORECASE)
_REFUSALS = {"noai", "noimageai", "noml", "noindex", "noimageindex", "none"}
# Rules whose value follows a colon, as a crawler's name would.
_WITH_VALUE = {"unavailable_after", "max-snippet", "max-image-preview", "max-video-preview"}


@dataclass(frozen=True)
class Refusal:
    """Which door a site closed, and its words."""

    reason: Reason
    words: str


@runtime_checkable
class _MultiMapping(Protocol):
    def getall(self, name: str, default: list[str]) -> list[str]: ...


@dataclass(frozen=True)
class Robots:
    """A site's robots.txt; `rules` None allows everything."""

    rules: Protego | None

    def allows(self, url: str) -> bool:
        """Whether we may fetch an address."""
        return self.rules is None or self.rules.can_fetch(url, USER_AGENT_NAME)

    @property
    def delay_s(self) -> float:
        """How long to wait between two requests."""
        return 0.0 if self.rules is None else float(self.rules.crawl_delay(USER_AGENT_NAME) or 0)


def read_robots(content: bytes) -> Robots:
    """Read a robots.txt; what lies beyond `ROBOTS_BYTES` is left out, as RFC 9309 allows."""
    text = content[:ROBOTS_BYTES].decode("utf-8-sig", errors="replace")
    return Robots(Protego.parse("\n".join(map(_for_us_or_others, text.splitlines()))))


def _for_us_or_others(line: str) -> str:
    """A line with one name for all crawlers that are not us: rules for thousands of them would fill the memory."""
    named = _CRAWLER.match(line)
    if named is None or USER_AGENT_NAME.lower().startswith(named["name"].strip().lower().replace("*", "")):
        return line
    return "User-agent: others"


def refusal_in_headers(headers: Mapping[str, str]) -> Refusal | None:
    """What an answer's headers say against using it, or None.

    Args:
        headers: a multidict, or a mapping of lower-case names.
    """
    several = isinstance(headers, _MultiMapping)
    tags = headers.getall("x-robots-tag", []) if several else [headers.get("x-robots-tag", "")]
    for tag in tags:
        for rule in _rules_for_us(tag):
            if rule in _REFUSALS:
                return Refusal(Reason.OPT_OUT_HEADER, f"X-Robots-Tag: {rule}")
    if headers.get("tdm-reservation", "").strip() == "1":
        return Refusal(Reason.TDM_RESERVATION, "tdm-reservation: 1")
    return None


def _rules_for_us(tag: str) -> list[str]:
    """The rules of one header that are for everybody or for us; `NAME:` begins the rules for one crawler."""
    rules, for_us = [], True
    for part in tag.lower().split(","):
        name, colon, rest = part.strip().partition(":")
        # A time has colons, too; a crawler's name has no spaces.
        if colon and name.strip() not in _WITH_VALUE and " " not in name.strip():
            for_us = name.strip() in (USER_AGENT_NAME.lower(), "*")
            part = rest
        if for_us:
            rules.append(part.strip())
    return rules
