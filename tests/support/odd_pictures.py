"""Makes the photos that people send although they are turned, or are no pictures at all."""

from PIL import Image

from tests.support.builders import happy_photo, save

EXIF_ORIENTATION = 0x0112


def rotated_phone_photo(path):
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = 6
    sideways = Image.fromarray(happy_photo()[:400]).transpose(Image.Transpose.ROTATE_90)
    sideways.save(path, exif=exif, quality=95)


def make_bad_files(folder):
    """Files that people send although they are no pictures: name -> words of the answer."""
    whole = folder / "whole.jpg"
    save(happy_photo(), whole)
    (folder / "truncated.jpg").write_bytes(whole.read_bytes()[:20000])
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "text.jpg").write_text("I am not a picture")
    (folder / "drawing.jpg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    Image.new("1", (20000, 20000)).save(folder / "huge.png")
    Image.new("1", (10, 40000)).save(folder / "thread.png")
    return {
        "truncated.jpg": "damaged or incomplete",
        "empty.jpg": "the file is empty",
        "text.jpg": "not a picture that can be read",
        "drawing.jpg": "not a picture that can be read",
        "huge.png": "the limit is 52 megapixels",
        "thread.png": "32000 px a side",
        "missing.jpg": "No such file",
        ".": "Is a directory",
    }
