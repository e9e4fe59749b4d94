"""Which tools are compared, how each is installed into a folder of its own, and how its adapter is run there."""

import json
import os
import subprocess
import sys
import urllib.request
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

from face_expression.hub.download import EMBEDDED_BUNDLE

ADAPTERS = Path(__file__).parent / "adapters"
REPOSITORY = ADAPTERS.parents[2]
_INSTALL_S, _ASK_S = 1800, 10
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


class Unavailable(Exception):
    """A tool that cannot be installed or run here; the message says why."""


@dataclass(frozen=True)
class Tool:
    """A tool.

    `pip` or `npm` are its packages; `alone` those that are installed without what they ask for, because it cannot be
    installed with a current Python and is not used. `weights` are the files of its classifier, below its folder.
    `needs` is where it downloads them when it is first used.
    """

    name: str
    adapter: str
    pip: tuple[str, ...] = ()
    npm: tuple[str, ...] = ()
    alone: tuple[str, ...] = ()
    weights: str = ""
    needs: str | None = None


TOOLS = (
    Tool("this project", "this_project.py"),
    Tool(
        "fer 25.10.3",
        "fer_tool.py",
        # Its MTCNN wants facenet-pytorch, which pins torch below 2.3.
        alone=("fer==25.10.3",),
        pip=(
            "tensorflow-cpu==2.21.0",
            "setuptools<81",
            "opencv-contrib-python-headless<5",
            "requests",
            "matplotlib",
            "pandas",
            "pillow",
            "tqdm",
        ),
        weights="**/fer/data/emotion_model_quantized.tflite",
    ),
    Tool(
        "face-api 1.7.15",
        "face_api.cjs",
        npm=("@vladmandic/face-api@1.7.15", "@tensorflow/tfjs@4.22.0", "@tensorflow/tfjs-backend-wasm@4.22.0"),
        weights="**/face-api/model/face_expression_model.bin",
    ),
    Tool(
        "human 3.3.6",
        "human.cjs",
        npm=(
            "@vladmandic/human@3.3.6",
            "@tensorflow/tfjs-core@4.22.0",
            "@tensorflow/tfjs-converter@4.22.0",
            "@tensorflow/tfjs-backend-wasm@4.22.0",
        ),
        weights="**/human/models/emotion.bin",
    ),
    Tool(
        "DeepFace 0.0.103",
        "deepface_tool.py",
        pip=("deepface==0.0.103", "tf-keras"),
        weights="**/facial_expression_model_weights.*",
        needs="https://github.com/serengil/deepface_models/releases/download/v1.0/facial_expression_model_weights.onnx",
    ),
    Tool(
        "EmotiEffLib 1.1.1",
        "emotiefflib_tool.py",
        pip=("emotiefflib==1.1.1", "opencv-python-headless<5"),
        weights="**/enet_b0_8_best_vgaf.onnx",
        needs="https://github.com/sb-ai-lab/EmotiEffLib/blob/main/models/affectnet_emotions/onnx/enet_b0_8_best_vgaf.onnx?raw=true",
    ),
)


def install(tool: Tool, folder: Path) -> None:
    """Install a tool into a folder, unless it is there already.

    Raises:
        Unavailable: with the last line of what went wrong.
    """
    wanted = json.dumps([tool.pip, tool.npm, tool.alone])
    mark = folder / "installed.json"
    if not (tool.pip or tool.npm) or (mark.is_file() and mark.read_text() == wanted):
        return
    if tool.needs is not None:
        _require_reachable(tool.needs)
    folder.mkdir(parents=True, exist_ok=True)
    if tool.npm:
        (folder / "package.json").write_text("{}\n")
        _run(["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", *tool.npm], folder)
    else:
        _run([sys.executable, "-m", "venv", "venv"], folder)
        pip = [str(folder / "venv" / "bin" / "python"), "-m", "pip", "install", "--quiet"]
        for options in (["--no-deps", *tool.alone], list(tool.pip)):
            if options[-1] != "--no-deps":
                _run([*pip, *options], folder)
    mark.write_text(wanted)


def _require_reachable(url: str) -> None:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=_ASK_S):
            pass
    except OSError as error:
        raise Unavailable(f"its weights cannot be downloaded here ({getattr(error, 'reason', error)})") from error


def _run(command: list[str], folder: Path) -> None:
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True, timeout=_INSTALL_S)
    except FileNotFoundError as error:
        raise Unavailable(f"{command[0]} is not installed here") from error
    except subprocess.TimeoutExpired as error:
        raise Unavailable("its installation takes too long") from error
    except subprocess.CalledProcessError as error:
        lines = error.stderr.strip().splitlines() or [f"exit code {error.returncode}"]
        raise Unavailable(f"it cannot be installed here: {lines[-1]}") from error


def command_of(tool: Tool, folder: Path, work: Path) -> list[str]:
    """What runs the adapter."""
    adapter = str(ADAPTERS / tool.adapter)
    if tool.npm:
        return ["node", adapter, str(work)]
    return [str(folder / "venv" / "bin" / "python") if tool.pip else sys.executable, adapter, str(work)]


def environment_of(folder: Path) -> dict[str, str]:
    """One thread, and a home of its own for what it downloads."""
    return {**os.environ, **_ONE_THREAD, "DEEPFACE_HOME": str(folder)}


def weights_bytes(tool: Tool, folder: Path) -> int:
    """The size of the classifier's weights."""
    if not tool.weights:
        return (EMBEDDED_BUNDLE / "model.onnx").stat().st_size
    return sum(file.stat().st_size for file in folder.glob(tool.weights))


def installed_bytes(tool: Tool, folder: Path) -> int:
    """What the tool and everything that it needs take on the disk; Python and Node themselves do not count."""
    if tool.pip or tool.npm:
        return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file() and not file.is_symlink())
    names = [line.split("#")[0].strip() for line in (REPOSITORY / "requirements.txt").read_text().splitlines()]
    sources = (file for file in (REPOSITORY / "face_expression").rglob("*") if file.is_file())
    return _bytes_of_packages([name for name in names if name]) + sum(file.stat().st_size for file in sources)


def _bytes_of_packages(requirements: list[str]) -> int:
    """Of all packages that these lead to, as they are installed here."""
    waiting, seen, total = [Requirement(text) for text in requirements], set(), 0
    while waiting:
        requirement = waiting.pop()
        name = requirement.name.lower().replace("_", "-")
        extras = ["", *requirement.extras]
        if (name, *extras) in seen:
            continue
        seen.add((name, *extras))
        try:
            package = metadata.distribution(requirement.name)
        except metadata.PackageNotFoundError:
            continue
        if not any(key[0] == name for key in seen - {(name, *extras)}):
            located = (Path(str(file.locate())) for file in package.files or ())
            total += sum(path.stat().st_size for path in located if path.is_file())
        for text in package.requires or ():
            needed = Requirement(text)
            if needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in extras):
                waiting.append(needed)
    return total
