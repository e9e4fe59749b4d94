"""What finds faces: YuNet or OpenCV's Haar cascade. A new detector has the same four members and joins them here."""

from face_expression.detection.haar import HaarDetector
from face_expression.detection.yunet import YuNetDetector

Detector = YuNetDetector | HaarDetector
