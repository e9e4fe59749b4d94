"""Image files without their metadata, and the two things in it that count: how the picture is to be turned, and how
its numbers are meant where it is an HDR picture.

Whatever EXIF, XMP, colour profiles and comments hold, they never speak against the pixels: decoders do not get to see
them. A file whose structure is odd is left as it is.

JPEG: ITU-T T.81, annex B. PNG: https://www.w3.org/TR/png-3. AVIF: ISO/IEC 14496-12, 12.1.5. WebP: RFC 9649.
EXIF: CIPA DC-008.
"""

import struct
from collections.abc import Iterator

_JPEG, _PNG, _RIFF = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF"
_EXIF_HEADER = b"Exif\0\0"
_APP0, _APP1, _APP14, _APP15, _COMMENT = 0xE0, 0xE1, 0xEE, 0xEF, 0xFE
_START_OF_SCAN, _END_OF_IMAGE = 0xDA, 0xD9
_PNG_PIXELS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"acTL", b"fcTL", b"fdAT")
_NCLX = b"colrnclx"
_WEBP_METADATA = {b"ICCP": 0x20, b"EXIF": 0x08, b"XMP ": 0x04}  # with their bits in the header VP8X
_ORIENTATION = 274
_SHORT, _LONG = 3, 4


def split_metadata(content: bytes) -> tuple[bytes, bytes]:
    """Part a JPEG, PNG, WebP or AVIF file.

    Returns:
        The file without metadata, and its EXIF block, empty where it has none or of another format. Of AVIF, which
        keeps its turning beside the pixels, the EXIF block is only hidden.
    """
    try:
        if content.startswith(_JPEG):
            return _split_jpeg(content)
        if content.startswith(_PNG):
            return _split_png(content)
        if content.startswith(_RIFF) and content[8:12] == b"WEBP":
            return _split_webp(content)
        if content[4:8] == b"ftyp":
            return _hide_in_avif(content), b""
    except (struct.error, IndexError):
        pass
    return content, b""


def orientation_of(exif: bytes) -> int:
    """The EXIF orientation, 1 to 8; 1 is upright, and what a block says that cannot be read."""
    exif = exif.removeprefix(_EXIF_HEADER)
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[:4])
    if order is None:
        return 1
    try:
        (start,) = struct.unpack_from(f"{order}I", exif, 4)
        (entries,) = struct.unpack_from(f"{order}H", exif, start)
        for number in range(entries):
            place = start + 2 + 12 * number
            tag, kind, count = struct.unpack_from(f"{order}HHI", exif, place)
            if tag == _ORIENTATION and count == 1 and kind in (_SHORT, _LONG):
                (value,) = struct.unpack_from(order + ("H" if kind == _SHORT else "I"), exif, place + 8)
                return value if 1 <= value <= 8 else 1
    except struct.error:
        pass
    return 1


def colours_of(content: bytes) -> tuple[int, int] | None:
    """Transfer characteristic and primaries of an AVIF or PNG file as ITU-T H.273 numbers them; None if it has none."""
    try:
        if content.startswith(_PNG):
            for kind, start, _ in _png_chunks(content):
                if kind == b"cICP":
                    primaries, transfer = struct.unpack_from("BB", content, start + 8)
                    return transfer, primaries
        elif content[4:8] == b"ftyp":
            for kind, start, end in _avif_boxes(content):
                found = content.find(_NCLX, start, end) if kind == b"meta" else -1
                if found >= 0:
                    primaries, transfer = struct.unpack_from(">HH", content, found + len(_NCLX))
                    return transfer, primaries
    except struct.error:
        pass
    return None


def lacks_its_end(content: bytes) -> bool:
    """Whether a file is a JPEG that does not end as one."""
    return content.startswith(_JPEG) and not content.endswith(bytes([0xFF, _END_OF_IMAGE]))


def with_end(content: bytes, filling: int) -> bytes:
    """A JPEG with an end: after a whole scan the filling is passed over, in a broken one it is taken for pixels."""
    return content.rstrip(b"\xff") + bytes([filling]) * 32 + bytes([0xFF, _END_OF_IMAGE])


def _split_jpeg(content: bytes) -> tuple[bytes, bytes]:
    kept, exif = [content[:2]], b""
    for marker, start, end in _jpeg_segments(content):
        if marker == _APP1 and not exif and content.startswith(_EXIF_HEADER, start + 4):
            exif = content[start + 4 : end]
        is_metadata = (_APP0 < marker <= _APP15 and marker != _APP14) or marker == _COMMENT
        if not is_metadata:
            kept.append(content[start:end])
    return b"".join(kept), exif


def _jpeg_segments(content: bytes) -> Iterator[tuple[int, int, int]]:
    """Marker, start and end of each segment; the last one is the first scan with all that follows."""
    place = 2
    while True:
        start = place
        while content[place + 1] == 0xFF:  # filling before a marker
            place += 1
        marker = content[place + 1]
        (length,) = struct.unpack_from(">H", content, place + 2)
        if content[place] != 0xFF or marker < 0xC0 or length < 2:
            raise IndexError("no segment")
        if marker == _START_OF_SCAN:
            yield marker, start, len(content)
            return
        # A filling would move the marker from where a segment's content is looked for.
        yield marker, place, place + 2 + length
        place += 2 + length


def _split_png(content: bytes) -> tuple[bytes, bytes]:
    kept, exif = [content[:8]], b""
    for kind, start, end in _png_chunks(content):
        if kind == b"eXIf":
            exif = content[start + 8 : end - 4]
        if kind in _PNG_PIXELS:
            kept.append(content[start:end])
    return b"".join(kept), exif


def _png_chunks(content: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start and end of each chunk."""
    place = 8
    while place + 8 <= len(content):
        (length,) = struct.unpack_from(">I", content, place)
        kind, end = content[place + 4 : place + 8], place + 12 + length
        yield kind, place, end
        if kind == b"IEND":
            return
        place = end


def _split_webp(content: bytes) -> tuple[bytes, bytes]:
    kept, exif, place = [], b"", 12
    while place + 8 <= len(content):
        (length,) = struct.unpack_from("<I", content, place + 4)
        kind, end = content[place : place + 4], place + 8 + length + length % 2
        if kind == b"EXIF":
            exif = content[place + 8 : place + 8 + length]
        if kind == b"VP8X" and length:
            flags = content[place + 8] & ~sum(_WEBP_METADATA.values())
            kept.append(content[place : place + 8] + bytes([flags]) + content[place + 9 : end])
        elif kind not in _WEBP_METADATA:
            kept.append(content[place:end])
        place = end
    inside = b"WEBP" + b"".join(kept)
    return _RIFF + struct.pack("<I", len(inside)) + inside, exif


def _hide_in_avif(content: bytes) -> bytes:
    """Give the EXIF block a type that no decoder knows, of the same length, so that nothing in the file moves."""
    for kind, start, end in _avif_boxes(content):
        if kind == b"meta":
            return content[:start] + content[start:end].replace(b"Exif", b"none") + content[end:]
    return content


def _avif_boxes(content: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start and end of each outer box."""
    place = 0
    while place + 8 <= len(content):
        length, kind = struct.unpack_from(">I4s", content, place)
        end = place + length if length >= 8 else len(content)
        yield kind, place, end
        place = end
