"""Faces in a picture or a video, and what their expressions look like, as calibrated probabilities."""

import os

# ONNX Runtime reports to its makers, and begins when it is imported. Nothing leaves this program unasked.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

from face_expression.annotate import COLORS, UNSURE, annotate, face_summary
from face_expression.config import BundleError
from face_expression.console_log import log_to_stderr
from face_expression.face_json import FaceJson, face_as_json
from face_expression.label_file import LabelledFile, label_file
from face_expression.labels import LABEL_NAMES
from face_expression.personal import Personal, PersonalError
from face_expression.picture_file import PictureError, encode_jpeg, read_picture
from face_expression.pipeline import Face, Pipeline, load_pipeline
from face_expression.plain_words import plain_words
from face_expression.suggestions import Suggestion, Suggestions, load_suggestions
from face_expression.tracker import TrackerState
from face_expression.video import VideoFrame, face_columns, face_rows, label_video
from face_expression.video_file import VideoError, read_header, read_video
from face_expression.viewers import RefusedError, Viewers

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
    "RefusedError",
    "Suggestion",
    "Suggestions",
    "TrackerState",
    "VideoError",
    "VideoFrame",
    "Viewers",
    "annotate",
    "encode_jpeg",
    "face_as_json",
    "face_columns",
    "face_rows",
    "face_summary",
    "label_file",
    "label_video",
    "load_pipeline",
    "load_suggestions",
    "log_to_stderr",
    "plain_words",
    "read_header",
    "read_picture",
    "read_video",
]
