"""A camera's picture with its faces in a window of its own, for machines with a screen."""

import os
import re
import shlex
import sys
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version

import cv2
import numpy as np

from face_expression.output.annotate import annotate
from face_expression.pipeline import Face, Pipeline

TITLE = "Live Emotion Detector (q quits)"
_ESCAPE = 27
_HEADLESS = "opencv-python-headless"


class DesktopError(RuntimeError):
    """The window cannot be shown; the message is fit to be shown to the user."""


def show_camera(pipeline: Pipeline, camera: int) -> None:
    """Show a camera as a mirror, with the faces labelled, until q or Esc is pressed or the window is closed.

    Args:
        pipeline: what judges the faces.
        camera: the number of the camera; 0 is the first.

    Raises:
        DesktopError: if there are no windows here, or the camera cannot be opened or is gone.
    """
    require_windows()
    with _opened(camera) as capture:
        cv2.namedWindow(TITLE, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL)
        try:
            _show(pipeline, capture, camera)
        finally:
            cv2.destroyAllWindows()


def require_windows() -> None:
    """Make sure that OpenCV can open a window.

    Raises:
        DesktopError: saying what to install, and how to go back.
    """
    if re.search(r"GUI:\s+NONE", cv2.getBuildInformation()):
        raise DesktopError(_what_to_install())
    # Qt ends the whole program, without a word that could be caught, where there is no screen.
    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise DesktopError("there is no screen for a window here (neither DISPLAY nor WAYLAND_DISPLAY is set)")


def _what_to_install() -> str:
    try:
        installed = version(_HEADLESS)
    except PackageNotFoundError:
        installed = f"{cv2.__version__}.*"
    pip = f"{shlex.quote(sys.executable)} -m pip"
    return f"""a camera needs a window, and OpenCV as it is installed here has none. To install the one with windows:

    {pip} uninstall -y {_HEADLESS}
    {pip} install "opencv-python=={installed}"

To go back:

    {pip} uninstall -y opencv-python
    {pip} install "{_HEADLESS}=={installed}"
"""


@contextmanager
def _opened(camera: int) -> Generator[cv2.VideoCapture]:
    # OpenCV writes pages about each way in which a camera is not there; one sentence says it below.
    before = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    capture = cv2.VideoCapture(camera)
    cv2.utils.logging.setLogLevel(before)
    try:
        if not capture.isOpened():
            raise DesktopError(
                f"camera {camera} cannot be opened; is it plugged in, may this program use it, and does no other "
                "program hold it? A file of that name is meant by a path such as ./0"
            )
        # What waits in a queue would be shown late.
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        yield capture
    finally:
        capture.release()


def camera_frames(camera: int) -> Iterator[tuple[float, np.ndarray]]:
    """The frames of a camera for ever, without any window: seconds on a clock of its own, and RGB uint8 (H, W, 3).

    Raises:
        DesktopError: if the camera cannot be opened or is gone.
    """
    with _opened(camera) as capture:
        yield from _frames(capture, camera)


def _frames(capture: cv2.VideoCapture, camera: int) -> Iterator[tuple[float, np.ndarray]]:
    while True:
        could_read, bgr = capture.read()
        if not could_read:
            raise DesktopError(f"camera {camera} gives no more pictures; is it still plugged in?")
        yield time.monotonic(), cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)


def _show(pipeline: Pipeline, capture: cv2.VideoCapture, camera: int) -> None:
    state = None
    for time_s, frame in _frames(capture, camera):
        if state is None:
            cv2.resizeWindow(TITLE, frame.shape[1], frame.shape[0])
        faces, state = pipeline.track(frame, state, time_s)
        mirrored = np.ascontiguousarray(frame[:, ::-1])
        drawn = annotate(mirrored, [_mirrored(face, frame.shape[1]) for face in faces], pipeline.label_names)
        cv2.imshow(TITLE, cv2.cvtColor(drawn, cv2.COLOR_RGB2BGR))
        pressed = cv2.waitKey(1) & 0xFF
        if pressed in (ord("q"), _ESCAPE) or cv2.getWindowProperty(TITLE, cv2.WND_PROP_VISIBLE) < 1:
            return


def _mirrored(face: Face, width_px: int) -> Face:
    x0, y0, x1, y1 = face.box
    return replace(face, box=(width_px - x1, y0, width_px - x0, y1))
