"""Where the data sets of a work folder were published, so that `remove` knows what to clean."""

from data_tools.settings import PublishSettings
from data_tools.work.manifest import Manifest

_PUBLISHED = "published"


def note_published(manifest: Manifest, settings: PublishSettings) -> None:
    """Note where a data set is, and how it was published, before it is there."""
    place = settings.repo or str(settings.to)
    noted = manifest.recall(_PUBLISHED) or {}
    manifest.remember(_PUBLISHED, noted | {place: settings.model_dump(mode="json")})


def published(manifest: Manifest) -> dict[str, PublishSettings]:
    """Where data sets of this work folder are: repository or folder, and how they were published last."""
    noted = manifest.recall(_PUBLISHED) or {}
    return {place: PublishSettings.model_validate(settings) for place, settings in noted.items()}


def forget_published(manifest: Manifest, place: str) -> None:
    """Take back the note that a data set is there."""
    noted = manifest.recall(_PUBLISHED) or {}
    manifest.remember(_PUBLISHED, {known: settings for known, settings in noted.items() if known != place})
