"""The whole loop on a Hub that lets us down at each hop: data, training, evaluation, model, app, a face labelled.

Everything goes through the commands that people type and the real clients of the Hub. Where something fails, the same
again works.
"""

import io
import json
import math
import os
import subprocess
import sys
import threading
from contextlib import contextmanager

import cv2
import httpx
import numpy as np
import pytest
from PIL import Image

from data_tools.work.manifest import opened
from face_expression import encode_jpeg, load_pipeline, read_picture
from face_expression.hub.download import DETECTOR_VARIABLE, MODEL_VARIABLE
from tests.support.builders import REPOSITORY, happy_face, scene
from tests.support.local_hub import OWNER, WRITER, running_hub
from tests.support.served_apps import started
from tests.support.training import band
from tests.support.work_folders import kept_row

DATA, MODEL = f"{OWNER}/expressions", f"{OWNER}/faces"
ROWS = 147
PATIENCE_S = 150
TINY = ["--model-args", '{"channels": [16, 16, 16, 16], "layers": [1, 1, 1, 1]}', "--size", "32", "--workers", "0"]
STEPS = ["--batch-size", "15", "--epochs", "8", "--learning-rate", "0.05", "--ema-decay", "0.8"]
# Runs commands one after the other in one process, since each would take seconds to begin.
COMMANDS = """
import importlib, json, sys
for line in sys.stdin:
    module, *arguments = json.loads(line)
    try:
        exit_code = importlib.import_module(f"{module}.__main__").app(arguments, prog_name=module)
    except SystemExit as error:
        if isinstance(error.code, str):
            print(error.code, flush=True)
        exit_code = 1 if isinstance(error.code, str) else error.code
    sys.stderr.flush()
    print(f"\\nexit: {exit_code or 0}", flush=True)
"""
READ_BACK = """
import sys, timm
from transformers import pipeline
network = timm.create_model("hf-hub:" + sys.argv[1], pretrained=True)
rows = pipeline("image-classification", model=sys.argv[1])(sys.argv[2], top_k=7)
assert sorted(network.pretrained_cfg["label_names"]) == sorted(row["label"] for row in rows)
"""


@contextmanager
def shell(environment):
    """A function that runs a command and gives its exit code and its output."""
    process = subprocess.Popen(
        [sys.executable, "-c", COMMANDS],
        cwd=REPOSITORY,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    timer = threading.Timer(PATIENCE_S, process.kill)
    timer.start()

    def command(*arguments) -> tuple[int, str]:
        process.stdin.write(json.dumps([str(argument) for argument in arguments]) + "\n")
        process.stdin.flush()
        lines = []
        for line in process.stdout:
            if line.startswith("exit: "):
                return int(line.removeprefix("exit: ")), "".join(lines)
            lines.append(line)
        raise AssertionError("the commands ended: " + "".join(lines)[-3000:])

    try:
        yield command
    finally:
        timer.cancel()
        process.kill()
        process.wait()


def make_work(folder):
    """A work folder with rows that a network can learn in seconds."""
    rng = np.random.default_rng(0)
    with opened(folder, create=True) as manifest:
        for number in range(ROWS):
            file = io.BytesIO()
            Image.fromarray(cv2.resize(band(number % 7, rng), (64, 64))).convert("RGB").save(file, "JPEG", quality=95)
            manifest.add([kept_row(folder, number, file.getvalue(), face_box=[4.0, 4.0, 60.0, 60.0], landmarks=None)])
    return folder


def ask_about(address, jpeg):
    """What the app says of a photo, asked as its live view asks."""
    headers = {"Content-Type": "image/jpeg", "X-Visitor": "v", "X-Time-S": "1", "X-Scene": "0"}
    answer = httpx.post(f"{address}/live/frames", content=jpeg.read_bytes(), headers=headers, timeout=60)
    (face,) = answer.json()["faces"]
    return face["label"], face["probabilities"]


def test_from_a_data_set_to_a_labelled_face(tmp_path, yunet_weights, monkeypatch):
    monkeypatch.setenv(DETECTOR_VARIABLE, str(yunet_weights))
    work, run, bundle = make_work(tmp_path / "work"), tmp_path / "run", tmp_path / "bundle"
    home = {"HOME": str(tmp_path), "HF_HUB_DISABLE_XET": "1", DETECTOR_VARIABLE: str(yunet_weights)}
    with running_hub({}) as hub:
        home |= {"PATH": os.environ["PATH"], "HF_ENDPOINT": hub.endpoint}
        with shell(home | {"HF_TOKEN": WRITER, "PYTHONUNBUFFERED": "1"}) as command:
            hub.fault, hub.faults_left = "unavailable", 2
            code, output = command("data_tools", "publish", "--work", work, "--repo", DATA)
            assert code == 0 and "trying again" in output, output
            assert hub.faults_left == 0 and len(hub.repositories[f"datasets/{DATA}"].commits) == 2

            finetune = ["train", "finetune", "--data", DATA, "--output", run, *TINY, *STEPS]
            hub.fault, hub.faults_left = "cut download", math.inf
            code, output = command(*finetune)
            expected = f"cannot load the split 'train' of '{DATA}'"
            assert code == 1 and expected in output and "Traceback" not in output, output
            hub.fault = None
            code, output = command(*finetune)
            assert code == 0, output
            code, output = command("train", "export", run / "final", "--data", DATA, "--bundle", bundle)
            assert code == 0, output
            hub.fault, hub.faults_left = "unavailable", 1
            code, output = command(
                *("train", "evaluate", "--data", DATA, "--bundle", bundle, "--no-report", "--no-robustness")
            )
            assert code == 0 and hub.faults_left == 0, output
            figures = json.loads((bundle / "metrics.json").read_text())["protocols"]["labels"]
            # By chance, one of seven.
            assert figures["n"] == 21 and figures["accuracy"] > 0.5

            publish = ["train", "publish", "--repo", MODEL, "--checkpoint", run / "final", "--bundle", bundle]
            hub.fault, hub.faults_left = "commit unavailable", 1
            code, output = command(*publish)
            assert code == 0 and "trying again" in output, output
            commit = hub.repositories[MODEL].commits[-1].oid
            assert len(hub.repositories[MODEL].commits) == 2 and commit in output

        picture = tmp_path / "face.png"
        Image.fromarray(happy_face()).save(picture)
        hub.fault, hub.faults_left = "cut download", 1
        arguments = [sys.executable, "-c", READ_BACK, MODEL, str(picture)]
        read_back = subprocess.run(arguments, env=home, capture_output=True, text=True, timeout=PATIENCE_S)
        assert read_back.returncode == 0, read_back.stderr
        assert hub.faults_left == 0

        wanted = {MODEL_VARIABLE: f"{MODEL}@{commit}"}
        jpeg = tmp_path / "photo.jpg"
        jpeg.write_bytes(encode_jpeg(scene([(happy_face(), 70, 30, 180)], width=320, height=240)))
        hub.fault, hub.faults_left = "corrupt", math.inf
        with started(REPOSITORY, tmp_path, **home, **wanted) as (address, page, log):
            assert "In use: model embedded in this program, face detector yunet" in page
            assert f"the model {MODEL}@{commit} cannot be used, falling back to the embedded model" in log.read_text()
            assert ask_about(address, jpeg)[0] == "happy"
        hub.fault = None
        with started(REPOSITORY, tmp_path, **home, **wanted) as (address, page, log):
            assert f"In use: model {MODEL}@{commit} from the Hub, face detector yunet" in page, log.read_text()
            label, probabilities = ask_about(address, jpeg)
    trained = load_pipeline(str(bundle), detector="yunet")
    (face,) = trained.analyze(read_picture(jpeg))
    assert probabilities == pytest.approx(face.probabilities.tolist(), abs=1e-4) and label == face.label
