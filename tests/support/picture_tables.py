"""Tables of pictures, as `datasets` writes them."""

from collections.abc import Iterable

import pyarrow as pa


def picture_table(pictures: Iterable[bytes | None]) -> pa.Table:
    """One column `image` of picture files; None is a row without one."""
    return pa.table({"image": [picture and {"bytes": picture, "path": None} for picture in pictures]})
