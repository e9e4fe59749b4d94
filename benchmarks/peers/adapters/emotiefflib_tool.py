"""EmotiEffLib (Andrey Savchenko, Apache-2.0): `enet_b0_8_best_vgaf` with ONNX Runtime, as in its README.

It has no detector of its own; on photographs it gets the largest face of the Haar cascade. Contempt, which the
protocols do not know, is left out and the others sum to one.
"""

import cv2
import numpy as np
from cv2.data import haarcascades
from emotiefflib.facial_analysis import EmotiEffLibRecognizer
from protocol import serve

# Of its eight: Anger, Contempt, Disgust, Fear, Happiness, Neutral, Sadness, Surprise.
PLACES = (0, 2, 3, 4, 6, 7, 5)
cv2.setNumThreads(1)
recognizer = EmotiEffLibRecognizer(engine="onnx", model_name="enet_b0_8_best_vgaf", device="cpu")
detector = cv2.CascadeClassifier(haarcascades + "haarcascade_frontalface_default.xml")


def crop(picture):
    _, scores = recognizer.predict_emotions(picture, logits=False)
    values = np.asarray(scores).reshape(-1)[list(PLACES)]
    return values / values.sum()


def photo(picture):
    faces = detector.detectMultiScale(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY))
    if not len(faces):
        return None
    x, y, width, height = max(faces, key=lambda face: face[2] * face[3])
    return crop(picture[y : y + height, x : x + width].copy())


serve(crop, photo)
