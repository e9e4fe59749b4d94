"""A font that has the letters of a text: Pillow's own for ASCII, otherwise one of a package or of the system."""

import importlib.util
import logging
import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import cast

from PIL import ImageFont

log = logging.getLogger(__name__)

# Packages that bring fonts, the widest first. The first is a requirement; what else is installed is used, too.
_PACKAGES = ("noto_cjk_sans_jp_regular", "matplotlib_fontja", "matplotlib")
_SYSTEM = (
    *("/usr/share/fonts", "/usr/local/share/fonts", "~/.local/share/fonts", "~/.fonts"),
    *("/System/Library/Fonts", "/Library/Fonts", "~/Library/Fonts"),
)
_ENDINGS = (".ttf", ".otf", ".ttc")
_UNUSUAL = ("bold", "italic", "oblique", "mono", "condensed", "light", "thin", "black", "serif", "display", "symbol")
# Has a box for every letter that there is, which is no letter.
_NO_FONTS = ("lastresort",)
_NO_LETTER = "\U0010ffff"
_TRIAL_PX = 24


def font_and_text(text: str, size_px: int) -> tuple[ImageFont.FreeTypeFont, str]:
    """A font for a text, and the text as that font can draw it.

    Where no font here has all letters, those that are missing lose their accents, or become question marks; a log line
    says what to install.
    """
    if text.isascii():
        return _load(None, size_px), text
    letters = frozenset(letter for letter in text if not letter.isascii() and not letter.isspace())
    file = _file_with(letters)
    return (_load(None, size_px), _in_ascii(text)) if file is None else (_load(file, size_px), text)


@lru_cache(maxsize=64)
def _load(file: Path | None, size_px: int) -> ImageFont.FreeTypeFont:
    if file is not None:
        return ImageFont.truetype(str(file), size_px)
    # With a size, Pillow gives its outlines and not its old bitmaps.
    return cast("ImageFont.FreeTypeFont", ImageFont.load_default(size_px))


@lru_cache(maxsize=256)
def _file_with(letters: frozenset[str]) -> Path | None:
    for file in _font_files():
        if has_letters(file, letters):
            return file
    missing = "".join(sorted(letters))
    log.warning("no font here has the letters %s; `apt install fonts-noto-core` brings nearly all", missing)
    return None


def has_letters(file: Path, letters: frozenset[str]) -> bool:
    """Whether a font draws each of these letters otherwise than one that does not exist."""
    try:
        font = ImageFont.truetype(str(file), _TRIAL_PX)
        box = _drawn(font, _NO_LETTER)
        return all(_drawn(font, letter) not in (box, ((0, 0), b"")) for letter in letters)
    except (OSError, ValueError):  # no font, or one that FreeType does not take
        return False


def _drawn(font: ImageFont.FreeTypeFont, letter: str) -> tuple[tuple[int, int], bytes]:
    mask = font.getmask(letter)
    return mask.size, bytes(cast("Iterable[int]", mask))


@lru_cache(maxsize=1)
def _font_files() -> tuple[Path, ...]:
    folders = [*_package_folders(), *(Path(name).expanduser() for name in _SYSTEM)]
    return tuple(file for folder in folders for file in _fonts_in(folder))


def _package_folders() -> Iterator[Path]:
    for name in _PACKAGES:
        found = importlib.util.find_spec(name)
        if found is not None and found.origin:
            yield Path(found.origin).parent


def _fonts_in(folder: Path) -> list[Path]:
    """The fonts of a folder, plain ones first."""
    files = [file for file in folder.rglob("*") if file.suffix.lower() in _ENDINGS]
    named = [(sum(word in file.name.lower() for word in _UNUSUAL), str(file)) for file in files]
    return [Path(name) for _, name in sorted(named) if not any(word in name.lower() for word in _NO_FONTS)]


def _in_ascii(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text.replace("ß", "ss"))
    return "".join(letter for letter in plain if not unicodedata.combining(letter)).encode("ascii", "replace").decode()
