"""A small server that speaks as much of the Hub's HTTP API as reading and writing repositories takes.

It stands in for the Hub in tests, for models, data sets and Spaces alike, and can misbehave on purpose. What is written
stays in memory. Left out: xet, multipart uploads, branches, pull requests.
"""

import base64
import hashlib
import json
import math
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import yaml

COMMIT = "0123456789abcdef0123456789abcdef01234567"
HANG_S = 30
# How often a server looks whether it is to end: half a second by default, which each test would wait.
END_POLL_S = 0.01
OWNER, WRITER, READER = "somebody", "hf_writer", "hf_reader"
_LFS_SUFFIXES = (".bin", ".onnx", ".parquet", ".safetensors", ".wasm")
_REGULAR_BYTES = 10_000_000


@dataclass(frozen=True)
class StoredFile:
    """Bytes as the Hub has them; `lfs_sha256` is what the client said they are, and is not checked."""

    content: bytes
    lfs_sha256: str | None = None

    @property
    def blob_id(self) -> str:
        """The id that git gives to the file, or to the pointer that stands for it."""
        pointer = (
            f"version https://git-lfs.github.com/spec/v1\noid sha256:{self.lfs_sha256}\nsize {len(self.content)}\n"
        )
        content = pointer.encode() if self.lfs_sha256 else self.content
        return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()

    def as_json(self, path: str) -> dict:
        """What the API tells about the file."""
        entry = {"type": "file", "path": path, "size": len(self.content), "oid": self.blob_id}
        if self.lfs_sha256:
            entry["lfs"] = {"oid": self.lfs_sha256, "size": len(self.content), "pointerSize": 134}
        return entry


@dataclass(frozen=True)
class Commit:
    """The state of a repository after one commit."""

    oid: str
    title: str
    files: dict[str, StoredFile]


@dataclass
class Repository:
    """A repository that was written to; the oldest commit is first.

    `large_files` are the sha256 of those ever committed, until they are deleted for good. `sdk` and `variables` are a
    Space's.
    """

    private: bool = False
    gated: str | bool = False
    sdk: str | None = None
    variables: dict[str, str] = field(default_factory=dict)
    commits: list[Commit] = field(default_factory=list)
    large_files: set[str] = field(default_factory=set)

    def add(self, title: str, files: dict[str, StoredFile]) -> Commit:
        """Append a commit after which the repository holds `files`."""
        identity = [len(self.commits), title, sorted((path, file.blob_id) for path, file in files.items())]
        self.commits.append(Commit(hashlib.sha1(json.dumps(identity).encode()).hexdigest(), title, files))
        self.large_files |= {file.lfs_sha256 for file in files.values() if file.lfs_sha256}
        return self.commits[-1]

    def at(self, revision: str) -> Commit | None:
        """The commit that a branch or an id names."""
        if revision in ("main", "HEAD"):
            return self.commits[-1]
        return next((commit for commit in self.commits if commit.oid == revision), None)


class LocalHub(ThreadingHTTPServer):
    """Serves repositories from folders, and those that clients make.

    `repositories` maps "user/name" (for others than models "datasets/user/name", "spaces/user/name") to a folder, which
    is served as it is, at any revision and read-only, or to a `Repository`. The token `WRITER` may write to what
    belongs to `OWNER`; the token `READER` is of the same user and may not.

    `fault` happens `faults_left` times: None, "unavailable" (503 to everything), "rate limited" (429 to
    everything), "hang" (no answer), "dropped" (each connection ends without an answer), "corrupt" (bytes of the
    right number but with one bit flipped, for downloads of `model.onnx` and of Parquet files), "corrupt small" (the
    same, for downloads of `config.json`), "cut download" (the connection ends within a large file), "corrupt
    upload" (large files are stored so), "cut upload" (the connection ends within a large file), "commit
    unavailable" (503 to a commit), "cut commit" (the commit is made, but the connection ends without an answer),
    "overtaken" (another commit comes first), "squash unavailable" (503 to squashing the history), "deletion
    unavailable" (503 to deleting large files for good).
    `requests` collects the paths asked for.
    """

    daemon_threads = True

    def __init__(self, repositories: dict[str, Path | Repository]):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.repositories = repositories
        self.large_files: dict[str, bytes] = {}
        self.fault: str | None = None
        self.faults_left = math.inf
        self.requests: list[str] = []

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def goes_wrong(self, fault: str) -> bool:
        """Whether this fault is due now."""
        if self.fault != fault or self.faults_left <= 0:
            return False
        self.faults_left -= 1
        return True


class _Refused(Exception):
    """An answer other than what was asked for."""

    def __init__(self, status: int, message: str, code: str = "", commit: str = COMMIT):
        self.status, self.message, self.code, self.commit = status, message, code, commit


class _Handler(BaseHTTPRequestHandler):
    server: LocalHub

    def log_message(self, *_):
        """Say nothing; the server collects the requests."""

    def do_GET(self):
        path = urlsplit(self.path).path
        self.server.requests.append(unquote(path))
        if self.server.goes_wrong("hang"):
            time.sleep(HANG_S)
        if self.server.goes_wrong("unavailable"):
            return self._send(503, b"try again later")
        if self.server.goes_wrong("rate limited"):
            return self._send(429, b"too many requests")
        if self.server.goes_wrong("dropped"):
            return self._cut()
        method = "GET" if self.command == "HEAD" else self.command
        try:
            for allowed, pattern, answer in _ROUTES:
                if method == allowed and (match := re.fullmatch(pattern, path)):
                    return answer(self, **{name: unquote(value or "") for name, value in match.groupdict().items()})
            raise _Refused(404, "no such address", "RepoNotFound")
        except _Refused as error:
            headers = {"X-Error-Code": error.code, "X-Error-Message": error.message, "X-Repo-Commit": error.commit}
            self._send(error.status, json.dumps({"error": error.message}).encode(), headers)

    do_HEAD = do_POST = do_PUT = do_DELETE = do_GET

    # Accounts

    def _user(self) -> str | None:
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if not token:
            return None
        if token not in (WRITER, READER):
            raise _Refused(401, "Invalid credentials in Authorization header")
        return OWNER

    def _require_right_to_write(self, namespace: str) -> None:
        if self._user() is None:
            raise _Refused(401, "Invalid username or password.")
        if namespace != OWNER or not self.headers["Authorization"].endswith(WRITER):
            raise _Refused(403, f"You don't have the rights to write under the namespace {namespace}")

    def _whoami(self):
        if self._user() is None:
            raise _Refused(401, "Invalid username or password.")
        role = "write" if self.headers["Authorization"].endswith(WRITER) else "read"
        self._send_json(
            {"type": "user", "name": OWNER, "auth": {"type": "access_token", "accessToken": {"role": role}}}
        )

    # Repositories

    def _find(self, kind: str, repo_id: str) -> Path | Repository:
        repository = self.server.repositories.get(_key(kind, repo_id))
        if repository is None or (isinstance(repository, Repository) and repository.private and self._user() is None):
            raise _Refused(404, "Repository not found", "RepoNotFound")
        return repository

    def _commit_at(self, kind: str, repo_id: str, revision: str) -> Commit:
        repository = self._find(kind, repo_id)
        if isinstance(repository, Path):
            files = {
                str(file.relative_to(repository)): file for file in sorted(repository.rglob("*")) if file.is_file()
            }
            return Commit(COMMIT, "", {path: StoredFile(file.read_bytes()) for path, file in files.items()})
        if commit := repository.at(revision or "main"):
            return commit
        raise _Refused(404, "Invalid rev id", "RevisionNotFound")

    def _writable(self, kind: str, repo_id: str) -> Repository:
        repository = self._find(kind, repo_id)
        self._require_right_to_write(repo_id.split("/")[0])
        if isinstance(repository, Path):
            raise _Refused(403, "this repository is served from a folder")
        return repository

    def _create(self):
        asked = self._read_json()
        kind = f"{asked.get('type') or 'model'}s"
        repo_id = f"{asked.get('organization') or OWNER}/{asked['name']}"
        self._require_right_to_write(repo_id.split("/")[0])
        url = {"url": f"{self.server.endpoint}/{_key(kind, repo_id)}", "name": repo_id}
        if _key(kind, repo_id) in self.server.repositories:
            return self._send_json({**url, "error": "You already created this repo"}, status=409)
        if (kind == "spaces") != ("sdk" in asked):
            raise _Refused(400, "a Space has an sdk, and nothing else has")
        repository = Repository(private=asked.get("visibility") == "private", sdk=asked.get("sdk"))
        repository.add("initial commit", {".gitattributes": StoredFile(b"*.onnx filter=lfs\n")})
        self.server.repositories[_key(kind, repo_id)] = repository
        return self._send_json(url)

    def _info(self, kind: str, repo_id: str, revision: str):
        commit = self._commit_at(kind, repo_id, revision)
        repository = self._find(kind, repo_id)
        settings = {name: getattr(repository, name, False) for name in ("private", "gated")}
        if kind == "spaces":
            settings["sdk"] = repository.sdk
        card = commit.files.get("README.md")
        if card and isinstance(metadata := _front_matter(card.content.decode()), dict):
            settings["cardData"] = metadata
        siblings = [{"rfilename": path} for path in commit.files]
        self._send_json({"id": repo_id, "sha": commit.oid, **settings, "siblings": siblings, "tags": []})

    def _settings(self, kind: str, repo_id: str):
        repository, asked = self._writable(kind, repo_id), self._read_json()
        repository.gated = asked.get("gated", repository.gated)
        repository.private = asked.get("visibility", "private" if repository.private else "public") == "private"
        self._send_json({})

    def _variables(self, repo_id: str):
        variables = self._writable("spaces", repo_id).variables
        if self.command != "GET":
            asked = self._read_json()
            variables.pop(asked["key"], None)
            if self.command == "POST":
                variables[asked["key"]] = asked["value"]
        self._send_json({key: {"key": key, "value": value} for key, value in variables.items()})

    def _auth_check(self, kind: str, repo_id: str, write: str):
        self._find(kind, repo_id)
        if write:
            self._require_right_to_write(repo_id.split("/")[0])
        self._send_json({})

    # History

    def _commits(self, kind: str, repo_id: str, revision: str):
        date = "2026-01-01T00:00:00.000Z"
        commits = reversed(self._find(kind, repo_id).commits)
        self._send_json(
            [{"id": one.oid, "title": one.title, "message": "", "authors": [], "date": date} for one in commits]
        )

    def _squash(self, kind: str, repo_id: str, revision: str):
        asked, repository = self._read_json(), self._writable(kind, repo_id)
        if self.server.goes_wrong("squash unavailable"):
            return self._send(503, b"try again later")
        files = repository.at(revision).files
        repository.commits.clear()
        repository.add(asked["message"], files)
        return self._send_json({})

    def _list_large_files(self, kind: str, repo_id: str):
        large = {"filename": "a file", "pushedAt": "2026-01-01T00:00:00.000Z", "ref": None, "size": 1}
        self._send_json(
            [large | {"oid": oid, "fileOid": oid[::-1]} for oid in sorted(self._writable(kind, repo_id).large_files)]
        )

    def _delete_large_files(self, kind: str, repo_id: str):
        repository, asked = self._writable(kind, repo_id), self._read_json()["deletions"]["sha"]
        if self.server.goes_wrong("deletion unavailable"):
            return self._send(503, b"try again later")
        for file_oid in asked:
            repository.large_files.remove(file_oid[::-1])
            del self.server.large_files[file_oid[::-1]]
        return self._send_json({})

    # Reading

    def _tree(self, kind: str, repo_id: str, revision: str, folder: str):
        files = self._commit_at(kind, repo_id, revision).files
        recursive = parse_qs(urlsplit(self.path).query).get("recursive", ["false"])[0].lower() in ("true", "1")
        prefix = f"{folder}/" if folder else ""
        entries = {}
        for path, file in files.items():
            if path.startswith(prefix):
                for parent in list(Path(path).parents)[:-1]:
                    entries[str(parent)] = {"type": "directory", "path": str(parent), "oid": COMMIT, "size": 0}
                entries[path] = file.as_json(path)
        inside = {path: entry for path, entry in entries.items() if path.startswith(prefix)}
        if folder and not inside:
            raise _Refused(404, f"{folder} does not exist", "EntryNotFound")
        self._send_json([entry for path, entry in inside.items() if recursive or "/" not in path.removeprefix(prefix)])

    def _paths_info(self, kind: str, repo_id: str, revision: str):
        files = self._commit_at(kind, repo_id, revision).files
        asked = parse_qs(self._read().decode()).get("paths", [])
        self._send_json([files[path].as_json(path) for path in asked if path in files])

    def _resolve(self, kind: str, repo_id: str, revision: str, path: str):
        commit = self._commit_at(kind or "models", repo_id, revision)
        file = commit.files.get(path)
        if file is None:
            raise _Refused(404, "Entry not found", "EntryNotFound", commit.oid)
        body = file.content
        headers = {"ETag": f'"{file.lfs_sha256 or file.blob_id}"', "X-Repo-Commit": commit.oid}
        if path.endswith(("model.onnx", ".parquet")) and self.command == "GET" and self.server.goes_wrong("corrupt"):
            body = _with_one_bit_flipped(body)
        if path == "config.json" and self.command == "GET" and self.server.goes_wrong("corrupt small"):
            body = bytes([body[0] ^ 1]) + body[1:]
        if path.endswith(_LFS_SUFFIXES) and self.command == "GET" and self.server.goes_wrong("cut download"):
            return self._send_half(body, headers)
        return self._send(200, body, headers)

    # Writing

    def _validate_yaml(self):
        asked = self._read_json()
        metadata = _front_matter(asked["content"])
        wrong = metadata if isinstance(metadata, str) else None
        if metadata and not wrong and asked.get("repoType") == "space":
            wrong = _wrong_in_space(metadata)
        if wrong:
            return self._send_json({"errors": [{"message": wrong}], "warnings": []}, status=400)
        missing = [] if metadata else [{"message": "empty or missing yaml metadata in repo card"}]
        return self._send_json({"errors": [], "warnings": missing})

    def _preupload(self, kind: str, repo_id: str, revision: str):
        asked = self._read_json()["files"]
        files = self._writable(kind, repo_id).at(revision).files
        answers = []
        for file in asked:
            path = file["path"]
            large = path.endswith(_LFS_SUFFIXES) or file["size"] > _REGULAR_BYTES
            answer = {"path": path, "uploadMode": "lfs" if large else "regular", "shouldIgnore": False}
            if path in files:
                answer["oid"] = files[path].lfs_sha256 or files[path].blob_id
            answers.append(answer)
        self._send_json({"files": answers})

    def _lfs_batch(self, kind: str, repo_id: str):
        objects = self._read_json()["objects"]
        self._writable(kind or "models", repo_id)
        answers = []
        for asked in objects:
            answer = {"oid": asked["oid"], "size": asked["size"]}
            if asked["oid"] not in self.server.large_files:
                answer["actions"] = {
                    "upload": {"href": f"{self.server.endpoint}/large-files/{asked['oid']}"},
                    "verify": {"href": f"{self.server.endpoint}/verify-large-file"},
                }
            answers.append(answer)
        self._send_json({"transfer": "basic", "objects": answers})

    def _store_large_file(self, oid: str):
        if self.server.goes_wrong("cut upload"):
            self.rfile.read(int(self.headers["Content-Length"]) // 2)
            return self._cut()
        content = self._read()
        if self.server.goes_wrong("corrupt upload"):
            content = _with_one_bit_flipped(content)
        self.server.large_files[oid] = content
        return self._send(200, b"")

    def _verify_large_file(self):
        asked = self._read_json()
        stored = self.server.large_files.get(asked["oid"])
        if stored is None or len(stored) != asked["size"]:
            raise _Refused(404, "the object was not uploaded")
        self._send_json({})

    def _commit(self, kind: str, repo_id: str, revision: str):
        lines = [json.loads(line) for line in self._read().splitlines()]
        if self.server.goes_wrong("commit unavailable"):
            return self._send(503, b"try again later")
        repository = self._writable(kind, repo_id)
        if self.server.goes_wrong("overtaken"):
            notes = StoredFile(b"of somebody else")
            repository.add("another commit", {**repository.at(revision).files, "notes.txt": notes})
        head = repository.at(revision)
        header = next(line["value"] for line in lines if line["key"] == "header")
        if header.get("parentCommit", head.oid) != head.oid:
            raise _Refused(412, "A commit has happened since. Please refresh and try again.")
        files = dict(head.files)
        for line in lines:
            self._apply(line["key"], line["value"], files)
        commit = repository.add(header["summary"], files)
        if self.server.goes_wrong("cut commit"):
            return self._cut()
        url = f"{self.server.endpoint}/{_key(kind, repo_id)}/commit/{commit.oid}"
        return self._send_json({"success": True, "commitOid": commit.oid, "commitUrl": url})

    def _apply(self, key: str, change: dict, files: dict[str, StoredFile]) -> None:
        if key == "file":
            files[change["path"]] = StoredFile(base64.b64decode(change["content"]))
        elif key == "lfsFile":
            if change["oid"] not in self.server.large_files:
                raise _Refused(400, f"the large file of {change['path']} was not uploaded")
            files[change["path"]] = StoredFile(self.server.large_files[change["oid"]], change["oid"])
        elif key == "deletedFile":
            if files.pop(change["path"], None) is None:
                raise _Refused(404, "A file with this name doesn't exist", "EntryNotFound")
        elif key == "deletedFolder":
            for path in [path for path in files if path.startswith(change["path"])]:
                del files[path]

    # HTTP

    def _read(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _read_json(self) -> dict:
        return json.loads(self._read())

    def _send_json(self, value: dict | list, *, status: int = 200) -> None:
        self._send(status, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            with suppress(BrokenPipeError, ConnectionResetError):  # a client that waited for no answer is gone
                self.wfile.write(body)

    def _send_half(self, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(200)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[: len(body) // 2])
        self._cut()

    def _cut(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)


def _key(kind: str, repo_id: str) -> str:
    return repo_id if kind == "models" else f"{kind}/{repo_id}"


def _with_one_bit_flipped(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


def _front_matter(text: str) -> dict | str | None:
    """What the block at the head of a README says; a string that says what is wrong with it, or None without one."""
    match = re.match(r"---\n(.*?)\n---\n", text, re.DOTALL)
    if not match:
        return None
    try:
        metadata = yaml.safe_load(match[1])
    except yaml.YAMLError as error:
        return str(error)
    return metadata if isinstance(metadata, dict) else f"{metadata!r} is no mapping"


def _wrong_in_space(metadata: dict) -> str | None:
    """What the Hub would not take in the front matter of a Space's README."""
    if any(metadata.get(key, "red") not in _SPACE_COLOURS for key in ("colorFrom", "colorTo")):
        return "colorFrom and colorTo are names of colours"
    if len(metadata.get("short_description", "")) > 60:
        return '"short_description" length must be less than or equal to 60 characters long'
    if metadata.get("sdk") not in ("gradio", "docker", "static"):
        return '"sdk" must be one of gradio, docker, static'
    lists = ("models", "datasets", "preload_from_hub", "tags")
    if any(not isinstance(metadata.get(key, []), list) for key in lists):
        return f"{', '.join(lists)} are lists"
    return None


_SPACE_COLOURS = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}
_API = r"/api/(?P<kind>models|datasets|spaces)/(?P<repo_id>[^/]+/[^/]+)"
_ANY = r"/(?:(?P<kind>datasets|spaces)/)?(?P<repo_id>[^/]+/[^/]+)"
_ROUTES = (
    ("GET", r"/api/whoami-v2", _Handler._whoami),
    ("POST", r"/api/repos/create", _Handler._create),
    ("POST", r"/api/validate-yaml", _Handler._validate_yaml),
    ("GET", _API + r"(?:/revision/(?P<revision>[^/]+))?", _Handler._info),
    ("PUT", _API + r"/settings", _Handler._settings),
    *(
        (method, r"/api/spaces/(?P<repo_id>[^/]+/[^/]+)/variables", _Handler._variables)
        for method in ("GET", "POST", "DELETE")
    ),
    ("GET", _API + r"/commits/(?P<revision>[^/]+)", _Handler._commits),
    ("POST", _API + r"/super-squash/(?P<revision>[^/]+)", _Handler._squash),
    ("GET", _API + r"/lfs-files", _Handler._list_large_files),
    ("POST", _API + r"/lfs-files/batch", _Handler._delete_large_files),
    ("GET", _API + r"/auth-check(?P<write>/write)?", _Handler._auth_check),
    ("GET", _API + r"/tree/(?P<revision>[^/]+)(?:/(?P<folder>.+))?", _Handler._tree),
    ("POST", _API + r"/paths-info/(?P<revision>[^/]+)", _Handler._paths_info),
    ("POST", _API + r"/preupload/(?P<revision>[^/]+)", _Handler._preupload),
    ("POST", _API + r"/commit/(?P<revision>[^/]+)", _Handler._commit),
    ("POST", _ANY + r"\.git/info/lfs/objects/batch", _Handler._lfs_batch),
    ("PUT", r"/large-files/(?P<oid>[0-9a-f]{64})", _Handler._store_large_file),
    ("POST", r"/verify-large-file", _Handler._verify_large_file),
    ("GET", _ANY + r"/resolve/(?P<revision>[^/]+)/(?P<path>.+)", _Handler._resolve),
)


@contextmanager
def running_hub(repositories: dict[str, Path | Repository]) -> Iterator[LocalHub]:
    """A LocalHub that serves until the block ends."""
    hub = LocalHub(repositories)
    threading.Thread(target=hub.serve_forever, args=[END_POLL_S], daemon=True).start()
    try:
        yield hub
    finally:
        hub.shutdown()
        hub.server_close()
