"""One fetched file -> what is known of it: a face fit to be learned from, cut out with its surroundings, or why not.

`judge` is a pure function of a row, its file and the settings, so that it can run in any process on any machine. It
never raises but for a full disk: what is wrong with a file is what the row says.
"""

import io
import re
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import cv2
import imagehash
import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from data_tools.settings import FilterSettings
from data_tools.work.denylist import Denylist
from data_tools.work.folder import WorkFolder
from data_tools.work.schema import Reason, Row, Status
from face_expression import PictureError, Pipeline, load_pipeline, read_picture
from face_expression.boxes import Box, box_area
from face_expression.detection.search import Detection
from face_expression.errors import required
from face_expression.io.files import is_of_disk, sha256_of, store
from face_expression.io.image_limits import require_few_scans
from face_expression.io.image_metadata import split_metadata
from face_expression.io.images import MAX_SIDE_PX
from face_expression.model.preprocess import CropRegion, cut_crop, region_of_detection
from face_expression.quality import (
    BLURRED,
    MAYBE_NO_FACE,
    TOO_BRIGHT,
    TOO_DARK,
    TOO_SMALL,
    TURNED_AWAY,
    measure_quality,
    quality_reasons,
)

_FORMATS = ("JPEG", "PNG", "WEBP", "AVIF")
# One picture in several sizes, as telephones write it: a JPEG to everybody else.
_SEVERAL_SIZES = "MPO"
_BEGINNING = re.compile(rb"\xff\xd8\xff|\x89PNG\r\n\x1a\n|RIFF.{4}WEBP|.{4}ftypavi[fs]", re.DOTALL)
_FLAT = 4.0
_JPEG_QUALITY = 95
_REASONS = {
    MAYBE_NO_FACE: Reason.NO_FACE,
    TOO_SMALL: Reason.FACE_TOO_SMALL,
    TURNED_AWAY: Reason.TURNED_AWAY,
    TOO_DARK: Reason.TOO_DARK,
    TOO_BRIGHT: Reason.TOO_BRIGHT,
    BLURRED: Reason.BLURRED,
}


class _Rejected(Exception):
    def __init__(self, reason: Reason, detail: str, known: Row | None = None):
        self.reason, self.detail = reason, detail
        self.known: Row = known or {}


def _rejection(reason: Reason, detail: str) -> Row:
    return {"status": Status.REJECTED, "rejection_reason": reason, "detail": detail}


@dataclass(frozen=True)
class Judge:
    """What judging takes beside a row: the work folder, the settings, the denylist, and the core's pipeline."""

    folder: Path
    settings: FilterSettings
    denylist: Denylist
    pipeline: Pipeline
    detector_sha256: str | None

    @classmethod
    def make(cls, folder: Path, settings: FilterSettings, denylist: Denylist) -> "Judge":
        """Load detector and limits, for one thread.

        Raises:
            DataError: if the detector's weights are not found.
        """
        pipeline = load_pipeline(detector=settings.detector, threads=1)
        weights = pipeline.files.yunet
        return cls(folder, settings, denylist, pipeline, None if weights is None else sha256_of(weights))

    def judge(self, row: Row) -> Row:
        """Look at one row's file; gives what is to be changed in the row.

        A row with one good face becomes a candidate: near duplicates are found among all candidates.
        """
        changes: Row = {"url": row["url"], "rejection_reason": None, "detail": None}
        try:
            return changes | self._look(required(row["content_sha256"]))
        except _Rejected as rejected:
            return changes | _rejection(rejected.reason, rejected.detail) | rejected.known
        except Exception as error:  # a row never ends the run of all others
            if isinstance(error, OSError) and is_of_disk(error):
                raise
            return changes | _rejection(Reason.INTERNAL_ERROR, repr(error))

    def _look(self, content_sha256: str) -> Row:
        if self.denylist.forbids_content(content_sha256):
            raise _Rejected(Reason.DENYLISTED, "this picture was taken down")
        content = WorkFolder(self.folder).raw_path(content_sha256).read_bytes()
        known: Row = {}
        try:
            known |= look_at_header(content, self.settings.max_pixels)
            frame = read_picture(io.BytesIO(content))
            size: Row = {"width": frame.shape[1], "height": frame.shape[0]}
            known |= size
            if cv2.meanStdDev(frame)[1].max() < _FLAT:
                raise _Rejected(Reason.PLACEHOLDER, "all of one colour")
            detection = self._one_face(frame)
            known |= self._quality(frame, detection)
            return known | self._cut(frame, detection, required(known["format"]))
        except PictureError as error:
            raise _Rejected(Reason.DAMAGED, str(error), known) from error
        except _Rejected as rejected:
            rejected.known = known | rejected.known
            raise

    def _one_face(self, frame: np.ndarray) -> Detection:
        faces = self.pipeline.detector.detect(frame)
        if not faces:
            raise _Rejected(Reason.NO_FACE, "no face was found")
        least = self.settings.second_face_area * box_area(faces[0].box)
        min_score = self.pipeline.config.preprocessing.quality.min_score
        others = [face for face in faces[1:] if box_area(face.box) > least and face.score >= min_score]
        if others:
            raise _Rejected(Reason.SEVERAL_FACES, f"{1 + len(others)} faces of about the same size")
        return faces[0]

    def _quality(self, frame: np.ndarray, detection: Detection) -> Row:
        settings = self.pipeline.config.preprocessing
        crop = cut_crop(frame, self._region(detection), settings.crop, self.pipeline.graphs)
        (quality,) = measure_quality([detection], [crop], settings, self.pipeline.graphs)
        known: Row = {
            "face_score": detection.score,
            "face_px": quality.face_px,
            "sharpness": quality.sharpness,
            "highlight": quality.highlight,
            "shadow": quality.shadow,
            "turn": quality.turn,
            "detector": self.pipeline.detector.name,
            "detector_sha256": self.detector_sha256,
        }
        limits = settings.quality.model_copy(update={"min_face_px": self.settings.min_face_px})
        if reasons := quality_reasons(quality, limits):
            raise _Rejected(_REASONS[reasons[0]], ", ".join(reasons), known)
        return known

    def _region(self, detection: Detection) -> CropRegion:
        rule, settings = self.pipeline.detector.crop_rule, self.pipeline.config.preprocessing
        return region_of_detection(detection.box, detection.landmarks, rule, settings.crop)

    def _cut(self, frame: np.ndarray, detection: Detection, picture_format: str) -> Row:
        region = self._region(detection)
        image, box, landmarks = cut_context(frame, region, detection, self.settings)
        lossless = picture_format == "PNG"
        content = encoded(image, lossless=lossless)
        name = sha256(content).hexdigest()
        picture = Image.fromarray(image)
        phash, mirrored = str(imagehash.phash(picture)), str(imagehash.phash(ImageOps.mirror(picture)))
        if self.denylist.forbids_content(name) or self.denylist.forbids_phash(phash, mirrored):
            raise _Rejected(Reason.DENYLISTED, "this picture was taken down")
        store(content, WorkFolder(self.folder).image_path(name, suffix=".png" if lossless else ".jpg"))
        return {
            "status": Status.CANDIDATE,
            "image_sha256": name,
            "image_width": image.shape[1],
            "image_height": image.shape[0],
            "phash": phash,
            "phash_mirrored": mirrored,
            "face_box": list(box),
            "landmarks": None if landmarks is None else [list(point) for point in landmarks],
        }


def look_at_header(content: bytes, max_pixels: int) -> Row:
    """Format and size of a picture, before any of its pixels is decoded.

    Raises:
        _Rejected: if it is no picture, of another format, animated, or too large.
    """
    try:
        content, _ = split_metadata(content)
        with Image.open(io.BytesIO(content), formats=(*_FORMATS, "GIF")) as picture:
            name, animated = picture.format, getattr(picture, "is_animated", False)
            width, height = picture.width, picture.height
            known: Row = {"format": name, "width": width, "height": height}
    except Image.DecompressionBombError as error:
        raise _Rejected(Reason.TOO_MANY_PIXELS, str(error)) from error
    except UnidentifiedImageError:
        detail = f"none of {', '.join(_FORMATS)}; begins with {content[:16]!r}"
        raise _Rejected(Reason.DAMAGED if _BEGINNING.match(content) else Reason.NOT_AN_IMAGE, detail) from None
    except Exception as error:  # decoders raise many kinds
        raise _Rejected(Reason.DAMAGED, str(error)) from error
    if width * height > max_pixels or max(width, height) > MAX_SIDE_PX:
        raise _Rejected(Reason.TOO_MANY_PIXELS, f"{width} x {height} pixels", known)
    if animated and name != _SEVERAL_SIZES:
        raise _Rejected(Reason.ANIMATED, "several frames", known)
    if name in ("JPEG", _SEVERAL_SIZES):
        try:
            require_few_scans(content, width * height)
        except PictureError as error:
            raise _Rejected(Reason.DAMAGED, str(error), known) from None
    if name == "GIF":
        raise _Rejected(Reason.FORMAT, "a GIF has too few colours for a face", known)
    return {"format": "JPEG" if name == _SEVERAL_SIZES else name, "width": width, "height": height}


def cut_context(
    frame: np.ndarray, region: CropRegion, detection: Detection, settings: FilterSettings
) -> tuple[np.ndarray, Box, tuple[tuple[float, float], ...] | None]:
    """Cut a face out upright with its surroundings, and shrink it if it is larger than need be.

    Args:
        frame: RGB uint8 (H, W, 3).
        region: the crop that the model sees.
        detection: the face, in pixels of the frame.
        settings: how much is kept, and how large.

    Returns:
        RGB uint8 (h, w, 3), and box and landmarks in its pixels.
    """
    half = settings.context * region.side_px / 2
    height, width = frame.shape[:2]
    x0, x1 = max(round(region.center_x - half), 0), min(round(region.center_x + half), width)
    y0, y1 = max(round(region.center_y - half), 0), min(round(region.center_y + half), height)
    image = frame[y0:y1, x0:x1]
    scale = min(settings.max_image_px / max(image.shape[:2]), 1.0)
    if scale < 1:
        size = (max(round(image.shape[1] * scale), 1), max(round(image.shape[0] * scale), 1))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    scale_x, scale_y = image.shape[1] / (x1 - x0), image.shape[0] / (y1 - y0)

    def moved(x: float, y: float) -> tuple[float, float]:
        return (x - x0) * scale_x, (y - y0) * scale_y

    box = (*moved(*detection.box[:2]), *moved(*detection.box[2:]))
    landmarks = None if detection.landmarks is None else tuple(moved(*point) for point in detection.landmarks)
    return np.ascontiguousarray(image), box, landmarks


def encoded(image: np.ndarray, *, lossless: bool) -> bytes:
    """A picture file with pixels and nothing else: PNG, or JPEG with all its colours."""
    file = io.BytesIO()
    picture = Image.fromarray(image)
    if lossless:
        picture.save(file, "PNG", optimize=False)
    else:
        picture.save(file, "JPEG", quality=_JPEG_QUALITY, subsampling=0)
    return file.getvalue()
