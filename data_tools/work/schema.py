"""The rows of a manifest: columns, statuses, reasons and the conditions that steps select rows by."""

from collections.abc import Sequence
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import TypedDict
from urllib.parse import urlsplit

import pyarrow as pa

from face_expression.errors import required

SCHEMA_VERSION = 2


class Stage(IntEnum):
    """How far a row came; each stage includes those before it."""

    FOUND = 0
    FETCHED = 1
    IMAGE = 2
    ONE_FACE = 3
    GOOD = 4
    UNIQUE = 5
    KEPT = 6


class Status(StrEnum):
    """What became of a URL, with a `description` for people.

    FOUND, FETCHED and CANDIDATE are on their way; a row that all steps have seen has one of the others.
    """

    description: str

    def __new__(cls, value: str, description: str) -> "Status":
        """A string with a description."""
        member = str.__new__(cls, value)
        member._value_, member.description = value, description
        return member

    FOUND = "found", "Not fetched yet; the next run of collect goes on with it."
    FETCHED = "fetched", "Fetched and not filtered yet; filter comes next."
    CANDIDATE = "candidate", "One good face; whether the image is a near duplicate is decided among all candidates."
    KEPT = "kept", "Passed everything."
    REJECTED = "rejected", "Not kept; no reason was noted."
    FAILED = "failed", "Could not be fetched; no reason was noted."
    OPTED_OUT = "opted_out", "Its owner asked not to be collected."
    DEFERRED = "deferred", "To be tried again later."
    REMOVED = "removed", "Taken out of the data set."


class Reason(StrEnum):
    """Why a row was not kept, with the last `stage` that such a row passed and a `description` for people."""

    stage: Stage
    description: str

    def __new__(cls, value: str, stage: Stage, description: str) -> "Reason":
        """A string with a stage and a description."""
        member = str.__new__(cls, value)
        member._value_, member.stage, member.description = value, stage, description
        return member

    # Not fetched.
    BAD_URL = "bad_url", Stage.FOUND, "The URL cannot be fetched."
    PRIVATE_ADDRESS = (
        "private_address",
        Stage.FOUND,
        "The URL leads into a private network.",
    )
    UNKNOWN_HOST = "unknown_host", Stage.FOUND, "There is no such host, or not any more."
    CONNECTION_FAILED = "connection_failed", Stage.FOUND, "The host did not answer, or broke off."
    TIMEOUT = "timeout", Stage.FOUND, "It took too long."
    REDIRECTS = "redirects", Stage.FOUND, "It led from address to address without an end."
    HTTP_STATUS = "http_status", Stage.FOUND, "The host answered with an error, such as 404: the picture is gone."
    TOO_LARGE = "too_large", Stage.FOUND, "The file is larger than allowed."
    SHORT_BODY = "short_body", Stage.FOUND, "The file ended before it was complete."
    CONTENT_ENCODING = "content_encoding", Stage.FOUND, "The file was packed in a way that cannot be undone."
    EMPTY = "empty", Stage.FOUND, "The file has nothing in it."
    # Asked not to.
    ROBOTS_TXT = "robots_txt", Stage.FOUND, "The site's robots.txt asks programs not to fetch it."
    OPT_OUT_HEADER = (
        "opt_out_header",
        Stage.FOUND,
        "A header of the answer opts out, such as noai or noimageai.",
    )
    TDM_RESERVATION = "tdm_reservation", Stage.FOUND, "The site reserves its rights against text and data mining."
    # To be tried again later.
    RETRY_LATER = "retry_later", Stage.FOUND, "Rate limited by the host."
    ROBOTS_UNREACHABLE = (
        "robots_unreachable",
        Stage.FOUND,
        "The site's robots.txt could not be read.",
    )
    # Not an image to be used.
    NOT_AN_IMAGE = "not_an_image", Stage.FETCHED, "What came is not a picture, often a web page instead."
    FORMAT = "format", Stage.FETCHED, "A picture of a format that is not used, such as GIF."
    DAMAGED = "damaged", Stage.FETCHED, "The picture is damaged or incomplete."
    TOO_MANY_PIXELS = "too_many_pixels", Stage.FETCHED, "The picture has more pixels than allowed."
    ANIMATED = "animated", Stage.FETCHED, "The picture moves."
    PLACEHOLDER = (
        "placeholder",
        Stage.FETCHED,
        "A placeholder: many URLs show it, or it is of one colour.",
    )
    SAME_CONTENT = "same_content", Stage.FETCHED, "The very same file was found at another address before."
    NEAR_DUPLICATE = "near_duplicate", Stage.GOOD, "Nearly the same picture was kept from another address."
    # Not one face fit to be judged.
    NO_FACE = "no_face", Stage.IMAGE, "The detector found no face."
    SEVERAL_FACES = (
        "several_faces",
        Stage.IMAGE,
        "Several faces of about the same size.",
    )
    FACE_TOO_SMALL = "face_too_small", Stage.ONE_FACE, "The face has too few pixels to be judged."
    TURNED_AWAY = "turned_away", Stage.ONE_FACE, "The head is turned too far to the side."
    TOO_DARK = "too_dark", Stage.ONE_FACE, "Even the brightest parts of the face are dark."
    TOO_BRIGHT = "too_bright", Stage.ONE_FACE, "Even the darkest parts of the face are bright."
    BLURRED = "blurred", Stage.ONE_FACE, "The face is blurred."
    # Of a data set that is fetched again.
    CHANGED = "changed", Stage.UNIQUE, "The address shows another picture than when the data set was made."
    # Decided by people.
    REVIEWED_OUT = "reviewed_out", Stage.UNIQUE, "A reviewer took it out."
    DENYLISTED = "denylisted", Stage.FOUND, "It was taken down before, and does not come back."
    TAKEDOWN = "takedown", Stage.UNIQUE, "Somebody asked for it to be taken down."
    # Would tie two splits together.
    BETWEEN_SPLITS = "between_splits", Stage.UNIQUE, "It resembles images of two splits."
    # A mistake of ours; `detail` says which.
    INTERNAL_ERROR = (
        "internal_error",
        Stage.FOUND,
        "A bug of this program; the column detail says which.",
    )


_STRINGS = pa.list_(pa.string())
_BOX = pa.list_(pa.float32(), 4)
_POINTS = pa.list_(pa.list_(pa.float32(), 2))
_TIME = pa.timestamp("us", tz="UTC")


def _column(name: str, kind: pa.DataType, description: str) -> pa.Field:
    return pa.field(name, kind, nullable=name not in ("url", "status"), metadata={"description": description})


SCHEMA = pa.schema(
    [
        _column("url", pa.string(), "address of the picture as the source gave it; `local:NAME/PATH` for a folder's"),
        _column("final_url", pa.string(), "where redirects led"),
        _column("page_url", pa.string(), "page that shows the picture, as the source says"),
        _column("title", pa.string(), "title of that page, as the source says"),
        _column("source", pa.string(), "what it was found by: duckduckgo, list:FILE or folder:NAME"),
        _column("query", pa.string(), "words searched for"),
        _column("query_label", pa.string(), "expression searched for, or the label in the list; never overwritten"),
        _column("query_group", pa.string(), "words of age, gender and region in the query: what was asked for"),
        _column("other_query_labels", _STRINGS, "other expressions for which the same URL was found"),
        _column("rank", pa.int32(), "place among the results of its query, from 0"),
        _column("license_requested", pa.string(), "licence filter of the search; requested, not proven"),
        _column("label", pa.string(), "what a reviewer called the expression; null until somebody did"),
        _column("status", pa.string(), "what became of it: one of `Status`"),
        _column("rejection_reason", pa.string(), "why it was not kept: one of `Reason`; null if it was"),
        _column("detail", pa.string(), "the reason in words, such as an error's text"),
        _column("found_at", _TIME, "when the source gave it"),
        _column("fetched_at", _TIME, "when the last attempt to fetch it ended"),
        _column("retry_at", _TIME, "of a deferred row: not to be tried before"),
        _column("http_status", pa.int16(), "status of the last answer"),
        _column("opt_out", pa.string(), "what was checked and found: `none`, or the words that asked not to"),
        _column("content_type", pa.string(), "as the server called it"),
        _column("content_bytes", pa.int64(), "length of what was fetched"),
        _column("content_sha256", pa.string(), "sha256 of what was fetched"),
        _column("format", pa.string(), "format of the picture, read from its bytes"),
        _column("width", pa.int32(), "of the picture as fetched, upright, px"),
        _column("height", pa.int32(), "of the picture as fetched, upright, px"),
        _column("image_sha256", pa.string(), "sha256 of the file that was kept"),
        _column("image_width", pa.int32(), "of the kept image, px"),
        _column("image_height", pa.int32(), "of the kept image, px"),
        _column("phash", pa.string(), "64-bit perceptual hash of the face with its context, 16 hexadecimal digits"),
        _column("phash_mirrored", pa.string(), "the same of the mirror image"),
        _column("face_box", _BOX, "the face, xyxy, px of the kept image"),
        _column("landmarks", _POINTS, "eyes, nose and mouth corners (x, y), px of the kept image; null with Haar"),
        _column("face_score", pa.float32(), "the detector's score, in [0, 1]"),
        _column("face_px", pa.float32(), "sqrt(width x height) of the face, px of the picture as fetched"),
        _column("sharpness", pa.float32(), "as `face_expression.quality.measure_sharpness`"),
        _column("highlight", pa.float32(), "95th percentile of the grey crop, 0..255"),
        _column("shadow", pa.float32(), "5th percentile of the grey crop, 0..255"),
        _column("turn", pa.float32(), "as `face_expression.quality.measure_turn`; null with Haar"),
        _column("detector", pa.string(), "detector that found the face: yunet or haar"),
        _column("detector_sha256", pa.string(), "sha256 of its weights; null with Haar"),
        _column("duplicate_of", pa.string(), "url of the row that was kept instead"),
        _column("expected_sha256", pa.string(), "of a set that is fetched again: sha256 of what was fetched then"),
        _column("expected_phash", pa.string(), "of a set that is fetched again: perceptual hash of the face then"),
        _column("split", pa.string(), "train, validation or test; once set, it never changes"),
        _column("tool_version", pa.string(), "version of this program that wrote the row last"),
    ],
    metadata={"schema_version": str(SCHEMA_VERSION)},
)


COLUMNS = tuple(SCHEMA.names)
SPLITS = ("train", "validation", "test")


class Row(TypedDict, total=False):
    """A row of the manifest, or the changes to one, in the types of `SCHEMA`; `url` is always given."""

    url: str
    final_url: str | None
    page_url: str | None
    title: str | None
    source: str | None
    query: str | None
    query_label: str | None
    query_group: str | None
    other_query_labels: Sequence[str] | None
    rank: int | None
    license_requested: str | None
    label: str | None
    status: str
    rejection_reason: str | None
    detail: str | None
    found_at: datetime | None
    fetched_at: datetime | None
    retry_at: datetime | None
    http_status: int | None
    opt_out: str | None
    content_type: str | None
    content_bytes: int | None
    content_sha256: str | None
    format: str | None
    width: int | None
    height: int | None
    image_sha256: str | None
    image_width: int | None
    image_height: int | None
    phash: str | None
    phash_mirrored: str | None
    face_box: Sequence[float] | None
    landmarks: Sequence[Sequence[float]] | None
    face_score: float | None
    face_px: float | None
    sharpness: float | None
    highlight: float | None
    shadow: float | None
    turn: float | None
    detector: str | None
    detector_sha256: str | None
    duplicate_of: str | None
    expected_sha256: str | None
    expected_phash: str | None
    split: str | None
    tool_version: str | None


# Conditions in SQL on the columns, for `Manifest.rows`, `count` and `counts`.
TO_FILTER = f"status = '{Status.FETCHED}'"
CANDIDATES = f"status = '{Status.CANDIDATE}'"
KEPT = f"status = '{Status.KEPT}'"
REVIEWABLE = (
    f"({KEPT} OR (status = '{Status.REJECTED}' AND rejection_reason = '{Reason.REVIEWED_OUT}')) "
    "AND image_sha256 IS NOT NULL"
)
LABELLED = f"{KEPT} AND COALESCE(label, query_label) IS NOT NULL"
IN_A_SPLIT = f"split IS NOT NULL AND status != '{Status.REMOVED}'"
PUBLISHABLE = f"{LABELLED} AND split IS NOT NULL"
FETCHED_AGAIN = f"{KEPT} AND expected_sha256 IS NOT NULL"
SHARED_FILE = "content_sha256 IN (SELECT content_sha256 FROM rows GROUP BY content_sha256 HAVING COUNT(*) > 1)"
UNKNOWN = "not known"


def host_of(url: str) -> str:
    """Whose picture this is: a host, or `local:` and the folder it came from."""
    if url.startswith("local:"):
        return url.partition("/")[0]
    try:
        return urlsplit(url).hostname or UNKNOWN
    except ValueError:
        return UNKNOWN


def label_of(row: Row) -> str:
    """What a reviewer called the expression, otherwise what it was found for; of a `LABELLED` row."""
    return required(row["label"] or row["query_label"])


def explanation(status: str, reason: str | None) -> str:
    """Why rows of a status and reason were not kept, in a sentence; empty if this version knows neither."""
    if reason in list(Reason):
        return Reason(reason).description
    return Status(status).description if status in list(Status) else ""


def last_stage(reason: str | None) -> Stage:
    """The last stage that a fetched row of a reason passed; of no or an unknown reason, no more is known than that."""
    return max(Stage.FETCHED, Reason(reason).stage) if reason in list(Reason) else Stage.FETCHED
