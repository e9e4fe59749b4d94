"""Files -> a repository on the Hub, with everything that can go wrong: what is there is what is said to be there."""

import hashlib
import json

import pytest
from huggingface_hub import HfApi

from face_expression.errors import HubError
from face_expression.hub.upload import PAUSES_S, Repository, check_repo_id, over_plain_http, raises_hub_error
from tests.support.hub_patience import NO_PAUSES, without_waiting
from tests.support.local_hub import OWNER, READER, WRITER, StoredFile

REPO = f"{OWNER}/faces"
SMALL, LARGE, OLD = "config.json", "model.onnx", "old.onnx"


@pytest.fixture(autouse=True)
def nobody_waits(monkeypatch):
    assert len(PAUSES_S) == len(NO_PAUSES)
    without_waiting(monkeypatch)


@pytest.fixture
def push(hub, tmp_path):
    """Pushes a small and a large file made of one letter, as a command does."""

    def push_letter(letter: str, *, token: str = WRITER, repo_id: str = REPO, names=(SMALL, LARGE), private=True):
        files = {}
        for name in names:
            files[name] = tmp_path / name
            files[name].write_text(letter * (100 if name == SMALL else 2000))
        check_repo_id(repo_id)
        repository = Repository(repo_id, HfApi(endpoint=hub.endpoint, token=token), pauses_s=NO_PAUSES)
        with over_plain_http(), raises_hub_error(repository):
            repository.check_login()
            before = repository.ready(private=private)
            return repository.push(files, before, message="Push", is_outdated=lambda path: path.endswith(".onnx"))

    return push_letter


def contents(hub) -> dict[str, str]:
    files = hub.repositories[REPO].commits[-1].files
    return {name: file.content.decode()[:1] for name, file in files.items() if name != ".gitattributes"}


def test_all_files_come_and_outdated_ones_go_in_one_commit(hub, push):
    push("a", names=(SMALL, LARGE, OLD))
    pushed = push("b")
    assert contents(hub) == {SMALL: "b", LARGE: "b"}
    assert [commit.title for commit in hub.repositories[REPO].commits] == ["initial commit", "Push", "Push"]
    assert pushed.commit.endswith(hub.repositories[REPO].commits[-1].oid)


def test_the_same_again_changes_nothing(hub, push):
    assert push("a") == push("a") and len(hub.repositories[REPO].commits) == 2


@pytest.mark.parametrize(
    ("fault", "times"),
    [
        ("unavailable", 4),
        ("commit unavailable", 3),
        ("cut upload", 1),
        ("cut upload", 9),
        ("cut commit", 1),
        ("corrupt", 1),
    ],
)
def test_trouble_that_passes_ends_in_one_complete_commit(hub, push, fault, times):
    hub.fault, hub.faults_left = fault, times
    pushed = push("a")
    commits = hub.repositories[REPO].commits
    assert hub.faults_left == 0 and len(commits) == 2 and pushed.commit.endswith(commits[-1].oid)
    assert contents(hub) == {SMALL: "a", LARGE: "a"}


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("commit unavailable", "busy or out of reach"),
        ("cut upload", "busy or out of reach"),
        ("corrupt upload", "gives other bytes than were sent for"),
        ("corrupt", f"gives other bytes than were sent for {LARGE}"),
    ],
)
@pytest.mark.parametrize("new", [True, False])
def test_trouble_that_stays_leaves_the_repository_as_it_was(hub, push, fault, words, new):
    if not new:
        push("a", names=(SMALL, LARGE, OLD))
    hub.fault = fault
    with pytest.raises(HubError, match=words):
        push("b")
    assert contents(hub) == ({} if new else {SMALL: "a", LARGE: "a", OLD: "a"})


def test_somebody_else_at_the_same_time_is_not_overwritten(hub, push):
    hub.fault, hub.faults_left = "overtaken", 1
    with pytest.raises(HubError, match="changed by somebody else"):
        push("a")
    assert contents(hub).keys() == {"notes.txt"}
    push("a")
    assert contents(hub).keys() == {SMALL, LARGE, "notes.txt"}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"token": READER}, f"no right to write to {REPO}"),
        ({"token": "hf_unknown"}, "does not know this token"),
        ({"repo_id": "another/faces"}, "no right to write to another/faces"),
        ({"repo_id": "faces"}, "USER/NAME"),
        ({"repo_id": "a//b"}, "--repo a//b"),
    ],
)
def test_a_missing_right_to_write_is_reported_and_nothing_is_made(hub, push, options, words):
    with pytest.raises(HubError, match=words):
        push("a", **options)
    assert hub.repositories == {}


def test_a_reader_cannot_change_what_is_there(hub, push):
    push("a")
    with pytest.raises(HubError, match="no right to write"):
        push("b", token=READER)
    assert contents(hub) == {SMALL: "a", LARGE: "a"}


def test_what_should_be_private_is_not_sent_to_a_public_repository(hub, push):
    push("a", private=False)
    with pytest.raises(HubError, match="is public"):
        push("b")
    assert contents(hub) == {SMALL: "a", LARGE: "a"}


def test_very_large_files_are_compared_without_being_downloaded(hub, tmp_path, monkeypatch):
    sha256 = hashlib.sha256(bytes(2000)).hexdigest()
    (tmp_path / "large.parquet").write_bytes(bytes(2000))
    (tmp_path / "README.md").write_text("---\nlicense: other\n---\n")
    files = {"data/large.parquet": tmp_path / "large.parquet", "README.md": tmp_path / "README.md"}
    api = HfApi(endpoint=hub.endpoint, token=WRITER)
    repository = Repository(REPO, api, "dataset", pauses_s=NO_PAUSES, read_back_bytes=1000)

    def push_both():
        with over_plain_http():
            repository.push(files, repository.ready(private=True), message="Large", is_outdated=lambda path: False)

    push_both()
    read = [path.rsplit("/", 1)[-1] for path in hub.requests if "/resolve/" in path]
    assert "README.md" in read and "large.parquet" not in read
    # Its word counts, whatever it would give.
    tell = StoredFile.as_json
    monkeypatch.setattr(
        StoredFile, "as_json", lambda *file: json.loads(json.dumps(tell(*file)).replace(sha256, "0" * 64))
    )
    (tmp_path / "README.md").write_text("---\nlicense: mit\n---\n")
    with pytest.raises(HubError, match=r"other bytes than were sent for data/large\.parquet"):
        push_both()


@pytest.mark.parametrize("times", [1, 2, 5])
def test_a_damaged_download_of_a_small_file_changes_nothing(hub, push, times):
    push("a")
    hub.fault, hub.faults_left = "corrupt small", times
    push("b")
    assert contents(hub) == {SMALL: "b", LARGE: "b"}


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
