"""Shares as people read them; `percentOf` and `shownPercent` of `web/live` give the same texts."""

# Nothing here is certain.
MOST_SHOWN = 0.99


def percent(share: float) -> str:
    """A share of 0 to 1 in whole percent, such as "87%"."""
    return f"{share:.0%}"


def shown_percent(probability: float) -> str:
    """A probability in whole percent, "99%" at most."""
    return percent(min(probability, MOST_SHOWN))
