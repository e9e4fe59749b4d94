"""DeepFace (Sefik Serengil, MIT): `DeepFace.analyze(actions=["emotion"])` as its README has it, with its detector."""

import cv2
from deepface import DeepFace
from protocol import serve

LABELS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
cv2.setNumThreads(1)


def answer(picture, **options):
    try:
        faces = DeepFace.analyze(picture[:, :, ::-1].copy(), actions=["emotion"], silent=True, **options)
    except ValueError:  # what it raises where it finds no face
        return None
    largest = max(faces, key=lambda face: face["region"]["w"] * face["region"]["h"])
    return [largest["emotion"][label] / 100 for label in LABELS]


serve(lambda picture: answer(picture, detector_backend="skip", enforce_detection=False), answer)
