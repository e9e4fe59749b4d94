"""Faces in a picture or a video, and what their expressions look like, as calibrated probabilities."""

from face_expression.annotate import annotate, face_summary
from face_expression.config import BundleError
from face_expression.console_log import log_to_stderr
from face_expression.label_file import LabelledFile, label_file
from face_expression.labels import LABEL_NAMES
from face_expression.picture_file import PictureError, encode_jpeg, encode_png, read_picture
from face_expression.pipeline import Face, Pipeline, load_pipeline
from face_expression.suggestions import Suggestion, Suggestions, load_suggestions
from face_expression.tracker import TrackerState
from face_expression.video import VideoFrame, face_columns, face_rows, label_video
from face_expression.video_file import VideoError
from face_expression.viewers import RefusedError, Viewers

__all__ = [
    "LABEL_NAMES",
    "BundleError",
    "Face",
    "LabelledFile",
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
    "encode_png",
    "face_columns",
    "face_rows",
    "face_summary",
    "label_file",
    "label_video",
    "load_pipeline",
    "load_suggestions",
    "log_to_stderr",
    "read_picture",
]
