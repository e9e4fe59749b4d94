"""Filters files as `data_tools filter` does, and holds pictures of which some are kept."""

import io
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageOps

from data_tools.filter.step import filter_images
from data_tools.settings import FilterSettings
from data_tools.work.manifest import opened
from data_tools.work.schema import Row
from face_expression.io.files import store
from tests.support.builders import calm_face, calm_photo, happy_face, happy_photo, scene


def encoded(picture: np.ndarray | Image.Image, file_format: str = "JPEG", **options: object) -> bytes:
    """A picture file of RGB or grey pixels, or of a Pillow image."""
    file = io.BytesIO()
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    image.save(file, file_format, **{"quality": 95, **options})
    return file.getvalue()


HAPPY = happy_photo()
MIRRORED = encoded(ImageOps.mirror(Image.fromarray(HAPPY)))
SMALLER = encoded(cv2.resize(HAPPY, (400, 400), interpolation=cv2.INTER_AREA), quality=70)
TWO = scene([(happy_face(), 20, 100, 280), (calm_face(), 330, 100, 280)])
SEVERAL = [encoded(HAPPY), encoded(calm_photo()), MIRRORED, SMALLER, encoded(HAPPY), b"<html>", encoded(TWO)]
SEVERAL_OUTCOMES = ["kept", "kept", "near_duplicate", "near_duplicate", "same_content", "not_an_image", "several_faces"]


def put(folder: Path, contents: Iterable[bytes], **more: object) -> Path:
    """A work folder in which these files were fetched, in this order."""
    with opened(folder, create=True) as manifest:
        for number, content in enumerate(contents):
            name = sha256(content).hexdigest()
            store(content, manifest.files.raw_path(name))
            manifest.add([{"url": f"http://a/{number}", "status": "fetched", "content_sha256": name, **more}])
    return folder


def filtered(folder: Path, settings: FilterSettings | None = None, **more: object) -> list[Row]:
    """The rows of a work folder after filtering, by one process unless another number of `workers` is named."""
    with opened(folder) as manifest:
        filter_images(manifest, settings or FilterSettings(detector="haar"), **{"workers": 1, **more})
        rows = list(manifest.rows())
        kept = {row["image_sha256"] for row in rows if row["status"] == "kept"}
        assert {path.stem for path in folder.glob("images/*/*")} == kept
        for sha in kept:
            assert manifest.files.find_image(sha).is_file()
    return rows


def outcomes(rows: Iterable[Row]) -> list[str]:
    """Why each row was rejected, or its status."""
    return [row["rejection_reason"] or row["status"] for row in rows]
