"""The settings of every step: one frozen model each, whose defaults are those of the commands."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, FilePath, ValidationError, field_validator
from yarl import URL

from data_tools.collect.url_guard import Guard
from face_expression.errors import DataError
from face_expression.io.images import MAX_PIXELS
from face_expression.io.yaml_file import read_yaml
from face_expression.labels import LABEL_NAMES

Seconds = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]
USER_AGENT_NAME = "LiveEmotionDetector"
FOLDER_SOURCE = "folder:"
LOCAL_SCHEME = "local:"


class Settings(BaseModel):
    """What all settings have in common: they do not change, and a misspelt name is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class FetchSettings(Settings):
    """How pictures are fetched.

    `contact` is an address or a page where site owners reach the operator; it goes into every request.
    `allow_addresses` opens IP:PORT pairs that are private, for tests. `retry_after_cap_s`: a host whose
    Retry-After is longer is not asked again before it ends.
    """

    contact: str | None = None
    connections: Annotated[int, Field(ge=1, le=512)] = 64
    connections_per_host: Annotated[int, Field(ge=1, le=16)] = 4
    deadline_s: Seconds = 30.0
    max_bytes: Annotated[int, Field(ge=1)] = 20_000_000
    attempts: Annotated[int, Field(ge=1, le=10)] = 3
    backoff_s: Seconds = 1.0
    retry_after_cap_s: Seconds = 60.0
    max_redirects: Annotated[int, Field(ge=0, le=20)] = 5
    proxy: str | None = None
    ca: FilePath | None = None
    allow_addresses: tuple[str, ...] = ()

    @field_validator("contact")
    @classmethod
    def _fits_in_a_line(cls, contact: str | None) -> str | None:
        if contact is not None and not contact.isprintable():
            raise ValueError("a contact is one line of text")
        return contact

    @field_validator("proxy")
    @classmethod
    def _is_a_proxy(cls, proxy: str | None) -> str | None:
        if proxy is not None and (URL(proxy).scheme not in ("http", "https") or not URL(proxy).host):
            raise ValueError("a proxy is http://HOST:PORT")
        return proxy

    @field_validator("allow_addresses")
    @classmethod
    def _are_addresses(cls, addresses: tuple[str, ...]) -> tuple[str, ...]:
        Guard(addresses)
        return addresses


class FilterSettings(Settings):
    """Which pictures are kept.

    `second_face_area`: a picture is of several people if another face has more than this share of the largest's area.
    `duplicate_bits`: perceptual hashes that differ in at most so many of 64 bits are of one picture.
    `context`: side of what is kept around a face, in sides of the crop that the model sees.
    `placeholder_urls`: a picture that more addresses than this show is a stand-in for pictures that are gone.
    `min_face_px`: in pixels of the picture as fetched.
    """

    detector: Literal["yunet", "haar"] | None = None
    max_pixels: Annotated[int, Field(ge=1)] = MAX_PIXELS
    min_face_px: Annotated[float, Field(gt=0)] = 48.0
    second_face_area: Share = 0.25
    duplicate_bits: Annotated[int, Field(ge=0, le=16)] = 6
    context: Annotated[float, Field(ge=1)] = 1.8
    max_image_px: Annotated[int, Field(ge=48)] = 384
    placeholder_urls: Annotated[int, Field(ge=2)] = 20


class SplitSettings(Settings):
    """How rows are shared out: what is neither for validation nor for test is for training.

    `cluster_bits`: faces whose perceptual hashes differ in at most so many of 64 bits go into one split.
    """

    validation: Share = 0.1
    test: Share = 0.1
    cluster_bits: Annotated[int, Field(ge=0, le=24)] = 8


class PublishSettings(Settings):
    """Where a data set goes, and how open it is there.

    `contact` is an address or a page, shown in the data set's card, where people ask for pictures to be taken down.
    """

    repo: str | None = None
    to: Path | None = None
    name: str = "Faces and what their expressions look like"
    contact: str | None = None
    public: bool = False
    urls_only: bool = False
    acknowledge_pixels: bool = False
    shard_bytes: Annotated[int, Field(ge=1)] = 300_000_000


class SourceSettings(Settings):
    """Where pictures come from; several may be given, and are asked in this order.

    `queries`: a YAML file, or None for the one that comes with this program. `search_pause_s`: between two searches.
    """

    web: bool = False
    queries: Path | None = None
    labels: tuple[str, ...] = LABEL_NAMES
    per_label: Annotated[int, Field(ge=1)] = 500
    license_image: str | None = None
    search_pause_s: Seconds = 1.5
    lists: tuple[Path, ...] = ()
    folders: tuple[Path, ...] = ()


class RunSettings(Settings):
    """What `run` reads from its YAML file; what is left out has the defaults of the steps.

    `publish`: nothing is published without it. `report`: default: `report.html` in the work folder.
    """

    work: Path = Path("collected")
    engine: Literal["local", "ray"] = "local"
    sources: SourceSettings
    fetch: FetchSettings = FetchSettings()
    filter: FilterSettings = FilterSettings()
    split: SplitSettings = SplitSettings()
    publish: PublishSettings | None = None
    report: Path | None = None


def mistakes_of(error: ValidationError) -> str:
    """What is wrong with settings, in one line."""
    return "; ".join(f"{'.'.join(map(str, mistake['loc']))}: {mistake['msg']}" for mistake in error.errors())


def read_run_settings(path: Path) -> RunSettings:
    """Read the YAML file of a run.

    Raises:
        DataError: if it is missing, no YAML, gives a key twice, or has a setting that does not exist or cannot be.
    """
    try:
        return RunSettings.model_validate(read_yaml(path) or {})
    except ValidationError as error:
        raise DataError(f"{path}: {mistakes_of(error)}") from error
    except ValueError as error:
        raise DataError(str(error)) from error
