"""Files -> a repository on the Hub, with everything that can go wrong: what is there is what is said to be there."""

import pytest
from huggingface_hub import HfApi

from face_expression.errors import HubError
from face_expression.hub.upload import Repository, over_plain_http
from tests.support.local_hub import OWNER, WRITER

REPO = f"{OWNER}/faces"


@pytest.fixture
def push(hub, tmp_path):
    """Pushes a config.json and a model.onnx made of one letter."""

    def push_letter(letter: str):
        files = {}
        for name, size in (("config.json", 100), ("model.onnx", 2000)):
            files[name] = tmp_path / name
            files[name].write_text(letter * size)
        repository = Repository(REPO, HfApi(endpoint=hub.endpoint, token=WRITER), pauses_s=(0.0, 0.0))
        with over_plain_http():
            return repository.push(files, repository.ready(private=True), message="Push", is_outdated=lambda _: False)

    return push_letter


def contents(hub) -> dict[str, str]:
    files = hub.repositories[REPO].commits[-1].files
    return {name: files[name].content.decode()[:1] for name in ("config.json", "model.onnx") if name in files}


@pytest.mark.parametrize("times", [1, 2, 5])
def test_a_damaged_download_of_a_small_file_changes_nothing(hub, push, times):
    push("a")
    hub.fault, hub.faults_left = "corrupt small", times
    push("b")
    assert contents(hub) == {"config.json": "b", "model.onnx": "b"}


class TwoFaults:
    """A Hub that stores large files damaged, and whose downloads of small ones are damaged so often."""

    def __init__(self, hub, downloads):
        self.hub, self.downloads = hub, downloads

    def __call__(self, fault: str) -> bool:
        if fault == "corrupt small" and self.downloads:
            self.downloads -= 1
            return True
        return fault == "corrupt upload"


@pytest.mark.parametrize(
    ("downloads", "words", "there"),
    [
        (0, "what was there before has been put back", {"config.json": "a", "model.onnx": "a"}),
        (2, "what was there before has been put back", {"config.json": "a", "model.onnx": "a"}),
        (99, "the new state is there", {"config.json": "b", "model.onnx": "b"}),
    ],
)
def test_a_damaged_download_does_not_damage_the_repair(hub, push, monkeypatch, downloads, words, there):
    push("a")
    earlier = hub.repositories[REPO].commits[-1].oid
    monkeypatch.setattr(hub, "goes_wrong", TwoFaults(hub, downloads))
    with pytest.raises(HubError, match=words) as raised:
        push("b")
    assert contents(hub) == there
    if downloads == 99:
        assert earlier in str(raised.value)
