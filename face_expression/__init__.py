"""Faces in a picture or a video, and what their expressions look like, as calibrated probabilities."""

import os

__version__ = "0.2.0"

# ONNX Runtime reports to its makers, and begins when it is imported. Nothing leaves this program unasked.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

from face_expression.errors import BundleError
from face_expression.io.images import PictureError, encode_jpeg, read_picture
from face_expression.labels import LABEL_NAMES
from face_expression.output.annotate import COLORS, UNSURE, annotate, face_summary
from face_expression.output.records import FaceJson, face_as_json, face_columns, face_rows
from face_expression.personal.personal_file import Personal, PersonalError
from face_expression.pipeline import Face, Pipeline, load_pipeline
from face_expression.tracker import TrackerState
from face_expression.video.labelled_file import LabelledFile, label_file
from face_expression.video.labelled_frames import VideoFrame, label_video
from face_expression.video.reader import VideoError, read_header, read_video

__all__ = [
    "COLORS",
    "LABEL_NAMES",
    "UNSURE",
    "BundleError",
    "Face",
    "FaceJson",
    "LabelledFile",
    "Personal",
    "PersonalError",
    "PictureError",
    "Pipeline",
    "TrackerState",
    "VideoError",
    "VideoFrame",
    "annotate",
    "encode_jpeg",
    "face_as_json",
    "face_columns",
    "face_rows",
    "face_summary",
    "label_file",
    "label_video",
    "load_pipeline",
    "read_header",
    "read_picture",
    "read_video",
]
