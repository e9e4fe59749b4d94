"""Makes small work folders of `data_tools`, as its first steps leave them."""

import hashlib
import io
from datetime import UTC, datetime
from pathlib import Path

import imagehash
import numpy as np
from PIL import Image, ImageOps

from data_tools.work.manifest import Manifest, opened
from data_tools.work.schema import Row, Status
from face_expression.io.files import store
from face_expression.labels import LABEL_NAMES

FETCHED_AT = datetime(2026, 11, 1, 12, tzinfo=UTC)


def jpeg(seed: int, **options) -> bytes:
    """A picture unlike those of other seeds, as a JPEG file."""
    tiles = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(tiles).resize((64, 64), Image.Resampling.BICUBIC).save(file, "JPEG", quality=90, **options)
    return file.getvalue()


def kept_row(folder: Path, number: int, image: bytes | None = None, **changes: object) -> Row:
    """A row that passed the filter, its raw file and its image stored.

    Args:
        folder: the work folder.
        number: of the row; it decides the picture, the label, and the split: of seven times seven rows, the last but
            one seven are for validation, and the last seven for test.
        image: the file that was kept.
        changes: columns with other values.
    """
    image = jpeg(number) if image is None else image
    raw = b"as fetched" + image
    image_sha256, content_sha256 = (hashlib.sha256(content).hexdigest() for content in (image, raw))
    store(raw, folder / "raw" / content_sha256[:2] / content_sha256)
    store(image, folder / "images" / image_sha256[:2] / f"{image_sha256}.jpg")
    picture = Image.open(io.BytesIO(image))
    return {
        "url": f"https://pictures{number % 3}.example.com/{number}.jpg",
        "final_url": f"https://cdn.example.net/{number}.jpg",
        "page_url": f"https://example.org/page-{number}",
        "title": f"Picture {number}",
        "source": "duckduckgo",
        "query": f"{LABEL_NAMES[number % 7]} face",
        "query_label": LABEL_NAMES[number % 7],
        "query_group": None,
        "license_requested": "Share",
        "status": Status.KEPT,
        "fetched_at": FETCHED_AT,
        "http_status": 200,
        "opt_out": "none",
        "content_sha256": content_sha256,
        "content_bytes": len(raw),
        "format": "JPEG",
        "width": 640,
        "height": 480,
        "image_sha256": image_sha256,
        "image_width": picture.width,
        "image_height": picture.height,
        "phash": str(imagehash.phash(picture)),
        "phash_mirrored": str(imagehash.phash(ImageOps.mirror(picture))),
        "face_box": [16.0, 12.5, 48.0, 52.0],
        "landmarks": [[24.0, 26.0], [40.0, 26.0], [32.0, 34.0], [26.0, 42.0], [38.0, 42.0]],
        "face_score": 0.875,
        "face_px": 120.0,
        "sharpness": 0.5,
        "highlight": 200.0,
        "shadow": 40.0,
        "turn": 0.125,
        "detector": "yunet",
        "detector_sha256": "d" * 64,
        "split": {5: "validation", 6: "test"}.get(number // 7 % 7, "train"),
        **changes,
    }


def make_work(folder: Path, rows: int = 49) -> Path:
    """A work folder of kept rows, seven of each label, and of a few that were not kept."""
    with opened(folder, create=True) as manifest:
        manifest.add(kept_row(folder, number) for number in range(rows))
        manifest.add(
            [
                {"url": "https://example.com/gone.jpg", "status": Status.FAILED, "rejection_reason": "http_status"},
                {"url": "https://example.com/two.jpg", "status": Status.REJECTED, "rejection_reason": "several_faces"},
                {"url": "https://example.com/no.jpg", "status": Status.OPTED_OUT, "rejection_reason": "robots_txt"},
            ]
        )
    return folder


def add_rows(folder: Path, *rows: Row) -> None:
    with opened(folder) as manifest:
        manifest.add(rows)


def rows_of(manifest: Manifest) -> dict[str, Row]:
    return {row["url"]: row for row in manifest.rows()}
