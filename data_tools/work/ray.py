"""Ray Data, where a cluster of machines does the work: `pip install -r requirements-ray.txt`."""

import json
import os
from datetime import datetime
from enum import StrEnum

from data_tools.work.schema import Row
from face_expression.errors import DataError

# Where Ray is started for this machine alone, nobody else can reach it.
_LOCAL_RAY = {"_node_ip_address": "127.0.0.1"}


class Engine(StrEnum):
    """Who does the work."""

    LOCAL = "local"
    RAY = "ray"


def ray_data():
    """The module `ray.data`, connected to a cluster, or to one of this machine alone.

    Raises:
        DataError: if Ray is not installed.
    """
    try:
        import ray
    except ModuleNotFoundError as error:
        raise DataError("--engine ray needs `pip install -r requirements-ray.txt`") from error
    if not ray.is_initialized():
        where = {} if os.environ.get("RAY_ADDRESS") else _LOCAL_RAY
        ray.init(log_to_driver=False, include_dashboard=False, logging_level="error", **where)
    ray.data.DataContext.get_current().enable_progress_bars = False
    return ray.data


def packed(row: Row) -> str:
    """A row as text: Ray's own columns would have to guess the types of empty ones."""
    return json.dumps({name: _as_text(value) for name, value in row.items()})


def _as_text(value: object) -> object:
    return {"time": value.isoformat()} if isinstance(value, datetime) else value


def unpacked(text: str) -> Row:
    """The row that `packed` made a text of."""
    return {
        name: datetime.fromisoformat(value["time"]) if isinstance(value, dict) else value
        for name, value in json.loads(text).items()
    }
