"""How the fetching of a row ends when it does not end with a picture."""

from dataclasses import dataclass
from datetime import datetime

from data_tools.work.schema import Reason, Status


@dataclass(eq=False)
class Stopped(Exception):
    """Why a row's fetching ends without a picture; `passing`: it may be otherwise at another attempt."""

    status: Status
    reason: Reason
    detail: str
    http_status: int | None = None
    retry_at: datetime | None = None
    passing: bool = False

    def __str__(self) -> str:
        return self.detail
