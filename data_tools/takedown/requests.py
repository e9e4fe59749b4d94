"""What people ask to be taken down: checked, so that a misspelt hash is not denied in vain and for ever."""

import csv
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, get_args
from urllib.parse import urlsplit

from data_tools.settings import LOCAL_SCHEME
from data_tools.work.denylist import Kind
from face_expression.errors import DataError

Request = tuple[Kind, str]
_DIGITS = {"sha256": 64, "phash": 16}


def checked(kind: str, value: str) -> list[Request]:
    """One request as it is denied; a host's name with letters beyond ASCII is denied in both of its spellings.

    Raises:
        ValueError: with what is wrong.
    """
    value = value.strip()
    if kind == "sha256" or kind == "phash":
        value = value.lower().removeprefix("sha256:")
        if not re.fullmatch(rf"[0-9a-f]{{{_DIGITS[kind]}}}", value):
            raise ValueError(f"a {kind} has {_DIGITS[kind]} hexadecimal digits, not {value!r}")
        return [(kind, value)]
    if kind == "url":
        if not value.startswith(("http://", "https://", LOCAL_SCHEME)):
            raise ValueError(f"an address begins with http:// or https://, not as {value!r}")
        return [("url", spelling) for spelling in dict.fromkeys([value, value.partition("#")[0]])]
    if kind == "host":
        return [("host", spelling) for spelling in _spellings(value)]
    raise ValueError(f"{kind!r} is none of {', '.join(get_args(Kind))}")


def _spellings(host: str) -> list[str]:
    name = (urlsplit(host if "://" in host else f"//{host}").hostname or "").strip(".")
    if not re.fullmatch(r"[\w-]+(\.[\w-]+)+|[0-9a-f:]+", name):
        raise ValueError(f"{host!r} is no host such as example.com; a word without a dot would deny all that end in it")
    try:
        ascii_name = name.encode("idna")
        return list(dict.fromkeys([name, ascii_name.decode(), ascii_name.decode("idna")]))
    except UnicodeError:
        return [name]


def read_requests(path: Path) -> list[Request]:
    """Requests of a file: CSV with the columns `kind` and `value`, or one JSON object a line with these.

    Raises:
        DataError: naming the line that cannot be read; none of the others counts then.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    is_csv = path.suffix.lower() == ".csv"
    requests: list[Request] = []
    lines: Iterable[dict[str | Any, Any] | str] = (
        csv.DictReader(text.splitlines()) if is_csv else (line for line in text.splitlines() if line.strip())
    )
    for number, line in enumerate(lines, 2 if is_csv else 1):
        try:
            entry = json.loads(line) if isinstance(line, str) else line
            requests += checked(entry["kind"], entry["value"])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(f"{path}, line {number}: {error!r}; nothing was taken down") from error
    return requests
