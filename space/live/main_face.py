"""Whose expression the headline is about, where several people are in view; made like `web/live/main_face.js`."""

from collections.abc import Sequence

from face_expression import Face

# So much larger an area is clearly larger: people of like size do not take the headline from each other.
_CLEARLY_LARGER = 1.5


def main_face(faces: Sequence[Face], main_id: int | None) -> Face | None:
    """Keep to one person until they are gone or another face is clearly larger.

    Args:
        faces: of one frame, the largest first.
        main_id: the `track_id` of the main face so far; None if there is none.

    Returns:
        The main face; None if there are no faces.
    """
    if not faces:
        return None
    largest = faces[0]
    main = next((face for face in faces if main_id is not None and face.track_id == main_id), largest)
    return largest if _area(largest) >= _CLEARLY_LARGER * _area(main) else main


def _area(face: Face) -> float:
    x0, y0, x1, y1 = face.box
    return (x1 - x0) * (y1 - y0)
