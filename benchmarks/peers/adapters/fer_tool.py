"""fer (Justin Shenk, MIT): `FER().detect_emotions` as in its README, Haar cascade and TFLite model.

A crop is given as its own face rectangle with `offsets=(0, 0)`: there is no background around it to add. Its answers
are rounded to two places.
"""

import os

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", TF_NUM_INTRAOP_THREADS="1", TF_NUM_INTEROP_THREADS="1")

import cv2
from fer.fer import FER
from protocol import serve

LABELS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
cv2.setNumThreads(1)
on_crops, on_photos = FER(offsets=(0, 0)), FER()


def crop(picture):
    height, width = picture.shape[:2]
    (face,) = on_crops.detect_emotions(picture[:, :, ::-1].copy(), face_rectangles=[(0, 0, width, height)])
    return [face["emotions"][label] for label in LABELS]


def photo(picture):
    faces = on_photos.detect_emotions(picture[:, :, ::-1].copy())
    if not faces:
        return None
    largest = max(faces, key=lambda face: face["box"][2] * face["box"][3])
    return [largest["emotions"][label] for label in LABELS]


serve(crop, photo)
