"""Two apps of one process share a folder for uploads, as when a notebook's cell is run again."""

from contextlib import ExitStack
from pathlib import Path

import httpx

import app
from tests.support.busy_folders import files_in


def test_the_end_of_one_leaves_the_other_its_files(yunet_pipeline, monkeypatch, tmp_path):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "gradio"))
    pages = [app.build_app(yunet_pipeline) for _ in range(2)]
    with ExitStack() as running:
        for page in pages:
            app.launch(page, prevent_thread_lock=True, quiet=True)
            running.callback(page.close, verbose=False)
        first, second = pages
        sent = httpx.post(f"{first.local_url}gradio_api/upload", files={"files": ("a.jpg", b"a")}, timeout=60).json()
        second.close(verbose=False)
        examples = {path for block in first.blocks.values() for path in getattr(block, "keep_in_cache", ())}
        assert len(examples) >= 4
        for path in [*examples, *sent]:
            assert Path(path).is_file(), path
    assert files_in(tmp_path) == []
