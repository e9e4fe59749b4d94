"""Temporary files: nobody else may read them, links are not followed, and nothing is left when the app ends."""

import base64
import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from contextlib import suppress

import httpx
import pytest

from benchmarks.support.processes import ended, free_port
from face_expression.errors import DataError, required
from space.storage.cleaning import sweep
from space.storage.private_folder import private_folder
from space.storage.video_folders import VideoFolders
from tests.support.builders import EXAMPLES, REPOSITORY
from tests.support.busy_folders import files_in
from tests.support.warm_programs import APP, WarmProgram, start_warm

PATIENCE_S = 120


def test_a_folder_is_private_and_gone_afterwards(tmp_path):
    with private_folder(tmp_path / "missing") as folder:
        (folder / "upload.jpg").write_bytes(b"x")
        for place in (folder, folder.parent):
            assert stat.S_IMODE(place.stat().st_mode) == 0o700
        assert str(os.geteuid()) in folder.parent.name
        with private_folder(tmp_path / "missing") as other:
            assert other != folder and (folder / "upload.jpg").exists()
    assert files_in(tmp_path) == []


def test_what_a_killed_process_left_is_deleted(tmp_path):
    program = (
        "import os, sys; from pathlib import Path; from space.storage.private_folder import private_folder\n"
        "with private_folder(Path(sys.argv[1])) as folder:\n"
        "    (folder / 'upload.jpg').write_bytes(b'x'); os._exit(1)"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], cwd=REPOSITORY, check=False)
    assert any(path.name == "upload.jpg" for path in files_in(tmp_path))
    with private_folder(tmp_path):
        assert not any(path.name == "upload.jpg" for path in files_in(tmp_path))


def test_what_was_left_without_its_lock_is_deleted(tmp_path):
    """As a kill leaves it while its process is deleting it."""
    with private_folder(tmp_path) as folder:
        left = folder.parent / "left"
        left.mkdir(mode=0o700)
        (left / "photo.jpg").write_bytes(b"somebody")
        with private_folder(tmp_path):
            assert not left.exists() and folder.exists()


@pytest.mark.parametrize("what", ["link", "file", "other's"])
def test_a_folder_that_is_not_ours_is_refused(tmp_path, what):
    with private_folder(tmp_path) as folder:
        name = folder.parent
    name.rmdir()
    if what == "link":
        (tmp_path / "elsewhere").mkdir()
        name.symlink_to(tmp_path / "elsewhere")
    elif what == "file":
        name.write_text("mine")
    else:
        name.mkdir()
        if os.geteuid() != 0:
            pytest.skip("only root can give a folder to somebody else")
        os.chown(name, 12345, 12345)
    with pytest.raises(DataError, match="is a link or belongs to another user"), private_folder(tmp_path):
        pass


def test_sweeping_follows_no_link(tmp_path):
    outside, folder = tmp_path / "outside", tmp_path / "folder"
    for place in (outside, folder):
        place.mkdir()
    (outside / "kept.txt").write_text("kept")
    (folder / "to-a-file").symlink_to(outside / "kept.txt")
    (folder / "to-a-folder").symlink_to(outside)
    (tmp_path / "itself").symlink_to(outside)
    sweep(folder, -1000, set())
    sweep(tmp_path / "itself", -1000, set())
    assert (outside / "kept.txt").read_text() == "kept" and list(folder.iterdir()) == []


def test_what_is_deleted_meanwhile_does_not_stop_the_sweeping(tmp_path):
    folder, done = tmp_path / "folder", threading.Event()
    folder.mkdir()

    def come_and_go() -> None:
        while not done.is_set():
            with suppress(FileNotFoundError):
                (folder / "a visit" / "a photo").mkdir(parents=True, exist_ok=True)
            shutil.rmtree(folder / "a visit", ignore_errors=True)

    visitors = threading.Thread(target=come_and_go)
    visitors.start()
    try:
        for _ in range(2000):
            sweep(folder, -1000, set())
    finally:
        done.set()
        visitors.join()
    sweep(folder, -1000, set())
    assert list(folder.iterdir()) == []


def start_by_hand(environment: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "app.py"],
        cwd=REPOSITORY,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def start_quickly(environment: dict[str, str]) -> WarmProgram | subprocess.Popen[str]:
    """The same with its packages imported already, which Gradio takes seconds for."""
    return start_warm("-m", "app", modules=APP, environment=environment)


@pytest.mark.parametrize(
    ("end", "start"),
    [(signal.SIGTERM, start_by_hand), (signal.SIGINT, start_quickly), (signal.SIGHUP, start_quickly)],
)
def test_nothing_is_left_when_the_app_ends(tmp_path, end, start):
    port = free_port()
    process = start({**os.environ, "GRADIO_TEMP_DIR": str(tmp_path), "HF_HUB_OFFLINE": "1", "PORT": str(port)})
    try:
        address, give_up_at = f"http://127.0.0.1:{port}/", time.monotonic() + PATIENCE_S
        while True:
            try:
                httpx.get(address, timeout=5)
                break
            except httpx.TransportError:
                assert process.poll() is None and time.monotonic() < give_up_at
                time.sleep(0.05)
        for number in range(3):
            content = (EXAMPLES / "astronaut.jpg").read_bytes() + bytes([number])
            httpx.post(
                f"{address}gradio_api/upload", files={"files": ("a.jpg", content)}, timeout=PATIENCE_S
            ).raise_for_status()
        assert len([path for path in files_in(tmp_path) if path.name.endswith("a.jpg")]) == 3
        # A page that is open, and an upload that never ends.
        with httpx.stream("GET", f"{address}gradio_api/heartbeat/page", timeout=PATIENCE_S) as page:
            assert page.status_code == 200
            process.send_signal(end)
            outputs = process.communicate(timeout=PATIENCE_S)
    finally:
        process.kill()
    assert files_in(tmp_path) == []
    assert "Traceback" not in "".join(outputs), outputs


def test_the_example_clip_is_not_taken_for_an_old_upload(tmp_path):
    """The app's own file may be of last year; what is made of it is a minute old at most."""
    example = tmp_path / "clip.mp4"
    example.write_bytes(b"a clip")
    os.utime(example, (0, 0))
    folders = VideoFolders(tmp_path / "videos")
    example_folder = folders.begin("one", example, is_ours=True)
    upload_folder = folders.begin("other", example)
    sweep(folders.root, 60, folders.sources_of({"other"}))
    assert upload_folder.source.exists(), "somebody waits for it in the queue"
    sweep(folders.root, 60, set())
    assert example_folder.source.read_bytes() == b"a clip" and not upload_folder.source.exists()
    assert example.exists()


NEVER_DONE = """
import runpy, threading
import face_expression

def load_pipeline(load=face_expression.load_pipeline, **options):
    def analyze(frame):
        print("at work", flush=True)
        threading.Event().wait()

    pipeline = load(**options)
    pipeline.analyze = analyze
    return pipeline

face_expression.load_pipeline = load_pipeline
runpy.run_path("app.py", run_name="__main__")
"""


def test_the_app_ends_while_a_photo_is_being_analyzed(tmp_path):
    port = free_port()
    environment = {**os.environ, "GRADIO_TEMP_DIR": str(tmp_path / "gradio"), "PORT": str(port), "HOST": "127.0.0.1"}
    process = subprocess.Popen(
        [sys.executable, "-c", NEVER_DONE], cwd=REPOSITORY, env=environment, stdout=subprocess.PIPE, text=True
    )
    with process, ended(process):
        lines = iter(required(process.stdout).readline, "")
        assert any("Running on local URL" in line for line in lines)
        sent = base64.b64encode((EXAMPLES / "astronaut.jpg").read_bytes()).decode()
        httpx.post(
            f"http://127.0.0.1:{port}/gradio_api/call/analyze_image", json={"data": [sent]}, timeout=PATIENCE_S
        ).raise_for_status()
        assert any("at work" in line for line in lines)
        process.terminate()
        assert process.wait(PATIENCE_S) == 0
    assert files_in(tmp_path) == []
