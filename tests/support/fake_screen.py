"""A camera and a screen for the window of the desktop."""

import cv2


class FakeScreen:
    """A camera and OpenCV's windows: what is shown is kept, and keys come after as many pictures as are listed."""

    def __init__(self, monkeypatch, frames, keys=(), closed_after=10_000, opens=True):
        self.frames, self.keys, self.closed_after, self.opens = list(frames), dict(keys), closed_after, opens
        self.shown, self.released, self.windows = [], False, 0
        monkeypatch.setenv("DISPLAY", ":0")
        monkeypatch.setattr(cv2, "getBuildInformation", lambda: "  GUI:                           QT5\n")
        monkeypatch.setattr(cv2, "VideoCapture", lambda number: self)
        monkeypatch.setattr(cv2, "namedWindow", lambda *_: setattr(self, "windows", self.windows + 1))
        monkeypatch.setattr(cv2, "resizeWindow", lambda *_: None)
        monkeypatch.setattr(cv2, "destroyAllWindows", lambda: setattr(self, "windows", 0))
        monkeypatch.setattr(cv2, "imshow", lambda _, picture: self.shown.append(picture))
        monkeypatch.setattr(cv2, "waitKey", lambda _: self.keys.get(len(self.shown), -1))
        monkeypatch.setattr(cv2, "getWindowProperty", lambda *_: float(len(self.shown) < self.closed_after))

    def isOpened(self):
        return self.opens

    def set(self, *_):
        return True

    def read(self):
        return (True, cv2.cvtColor(self.frames.pop(0), cv2.COLOR_RGB2BGR)) if self.frames else (False, None)

    def release(self):
        self.released = True
