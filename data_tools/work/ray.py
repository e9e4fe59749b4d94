"""Rows of a manifest on their way through Ray Data."""

import json
from datetime import datetime
from typing import cast

from data_tools.work.schema import Row


def packed(row: Row) -> str:
    """A row as text: Ray's own columns would have to guess the types of empty ones."""
    return json.dumps({name: _as_text(value) for name, value in row.items()})


def _as_text(value: object) -> object:
    return {"time": value.isoformat()} if isinstance(value, datetime) else value


def unpacked(text: str) -> Row:
    """The row that `packed` made a text of."""
    values = json.loads(text).items()
    return cast(
        Row,
        {name: datetime.fromisoformat(value["time"]) if isinstance(value, dict) else value for name, value in values},
    )
