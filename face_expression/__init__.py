"""Faces in a picture or a video, and what their expressions look like, as calibrated probabilities."""

from face_expression.annotate import annotate, face_summary
from face_expression.config import BundleError
from face_expression.console_log import log_to_stderr
from face_expression.labels import LABEL_NAMES
from face_expression.picture_file import PictureError, encode_jpeg, read_picture
from face_expression.pipeline import Face, Pipeline, load_pipeline
from face_expression.tracker import TrackerState

__all__ = [
    "LABEL_NAMES",
    "BundleError",
    "Face",
    "PictureError",
    "Pipeline",
    "TrackerState",
    "annotate",
    "encode_jpeg",
    "face_summary",
    "load_pipeline",
    "log_to_stderr",
    "read_picture",
]
