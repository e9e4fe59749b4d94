"""What picture files carry besides their pixels: EXIF with places and times, comments, colour profiles, thumbnails."""

import io

from PIL import Image

from face_expression.errors import required

_HARMLESS = {
    "adobe",
    "adobe_transform",
    "aspect",
    "chromaticity",
    "dpi",
    "gamma",
    "interlace",
    "jfif",
    "jfif_density",
    "jfif_unit",
    "jfif_version",
    "progression",
    "progressive",
    "srgb",
    "transparency",
}
_ENDS = {"JPEG": b"\xff\xd9", "PNG": b"IEND\xaeB`\x82"}


def without_metadata(content: bytes) -> bytes:
    """The same picture with nothing but its pixels; a file that has nothing else is handed back as it is.

    A JPEG that has is compressed again with its own tables, which changes its pixels a little.

    Args:
        content: a JPEG or PNG file.

    Raises:
        ValueError: if it is none.
    """
    try:
        image = Image.open(io.BytesIO(content), formats=tuple(_ENDS))
        image.load()
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"neither a JPEG nor a PNG file: {error}") from error
    if _is_clean(image) and content.endswith(_ENDS[required(image.format)]):
        return content
    image.info = {name: value for name, value in image.info.items() if name == "transparency"}
    stripped = io.BytesIO()
    image.save(stripped, image.format, **({"quality": "keep"} if image.format == "JPEG" else {}))
    return stripped.getvalue()


def _is_clean(image: Image.Image) -> bool:
    # APP0 is JFIF's own, APP14 says in which colours the picture is; any other segment is a place for metadata.
    segments = {name for name, _ in getattr(image, "applist", ())} - {"APP0", "APP14"}
    chunks = getattr(image, "private_chunks", ())
    return not segments and not chunks and image.info.keys() <= _HARMLESS
