"""Gradio fetches no address for anybody, and the app does not start if it would."""

import gradio.processing_utils
import pytest
import safehttpx

import app
from space.storage.sent_file import refuse_addresses, require_refusal


def test_the_refusal_is_proven():
    refuse_addresses()
    require_refusal()


@pytest.mark.parametrize(
    ("module", "name", "other"),
    [
        (safehttpx, "async_validate_url", None),
        (safehttpx, "matches_domain_whitelist", lambda *_: True),
        (gradio.processing_utils, "async_ssrf_protected_get", None),
    ],
)
def test_another_gradio_or_safehttpx_does_not_start(module, name, other, yunet_pipeline, monkeypatch, tmp_path):
    async def fetch(*_, **__):
        return "93.184.215.14"

    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    page = app.build_app(yunet_pipeline)
    monkeypatch.setattr("space.storage.sent_file.safehttpx.async_validate_url", safehttpx.async_validate_url)
    refuse_addresses()
    monkeypatch.setattr(module, name, other or fetch)
    monkeypatch.setattr(app, "refuse_addresses", require_refusal)
    with pytest.raises(RuntimeError, match="would fetch addresses"):
        app.launch(page, prevent_thread_lock=True, quiet=True)
    assert not page.is_running
