"""Words from outside, such as a bundle's label names, inside Markdown that we write."""

import html
import re

_MARKUP = set("\\`*{}[]()|~$@!")
_BOLD = re.compile(r"\*\*(.+?)\*\*")
# Inside a word it stands for itself.
_UNDERSCORE = re.compile(r"(?<![^\W_])_|_(?![^\W_])")


def plain_words(text: object) -> str:
    """Words as Markdown shows them as they are, in one line: no markup, links or invisible characters."""
    visible = "".join(letter if letter.isprintable() else " " for letter in str(text))
    words = html.escape(" ".join(visible.split())).replace("://", "&#58;//").replace("www.", "www&#46;")
    # An ampersand is `html.escape`'s own by now, as are `#` and `;` after it.
    escaped = "".join(f"&#{ord(letter)};" if letter in _MARKUP else letter for letter in words)
    return _UNDERSCORE.sub("&#95;", escaped)


def bold_as_html(sentence: str) -> str:
    """A sentence of ours, whose words from outside are `plain_words` and whose only markup is `**bold**`, as HTML."""
    return _BOLD.sub(r"<strong>\1</strong>", sentence)
