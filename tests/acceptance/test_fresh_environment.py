"""requirements.lock alone must be enough for the app, and must not bring torch."""

import os
import subprocess
import sys
import venv

from benchmarks.support.processes import ended, free_port
from tests.support.builders import EXAMPLES, REPOSITORY
from tests.support.served_apps import START_LIMIT_S, wait_for_page

INSTALL_LIMIT_S = 400


def test_the_lock_alone_starts_the_app(tmp_path):
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    lock = REPOSITORY / "requirements.lock"
    install = [python, "-m", "pip", "install", "--quiet", "--require-hashes", "-r", lock]
    subprocess.run(install, check=True, timeout=INSTALL_LIMIT_S)
    heavy = "torch", "torchvision", "timm", "transformers", "datasets", "skimage"
    search = "import importlib.util as u, sys; print([name for name in sys.argv[1:] if u.find_spec(name)])"
    found = subprocess.run([python, "-c", search, *heavy], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"

    predict = [python, "-m", "face_expression", "predict", EXAMPLES / "astronaut.jpg", "--detector", "haar"]
    answer = subprocess.run(predict, cwd=REPOSITORY, capture_output=True, text=True, timeout=START_LIMIT_S)
    assert '"label": "happy"' in answer.stdout, answer.stderr

    port = free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "PORT": str(port),
        "HF_HUB_OFFLINE": "1",
        "GRADIO_TEMP_DIR": str(tmp_path / "gradio"),
    }
    server = subprocess.Popen([python, "app.py"], cwd=REPOSITORY, env=environment, stderr=sys.stderr)
    with ended(server):
        assert "Live Emotion Detector" in wait_for_page(f"http://127.0.0.1:{port}/", server)
