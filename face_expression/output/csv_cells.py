"""Cells of a CSV table that no spreadsheet takes for a formula."""

_FORMULA_BEGINNINGS = ("=", "+", "-", "@", "\t", "\r")


def csv_text(text: str) -> str:
    """A text as a cell: one that begins as a formula does gets an apostrophe before it, which spreadsheets hide.

    https://owasp.org/www-community/attacks/CSV_Injection
    """
    return f"'{text}" if text.startswith(_FORMULA_BEGINNINGS) else text
