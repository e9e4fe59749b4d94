"""The Parquet files of a data set on the Hub, in its cache."""

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import huggingface_hub
from huggingface_hub import RepoFile

from face_expression.errors import HubError
from face_expression.hub.errors import in_one_line
from face_expression.io.files import sha256_of
from face_expression.io.split_files import split_of_file


@dataclass(frozen=True)
class DataSetFile:
    """A file in the cache, and its address as fsspec writes it: "hf://datasets/USER/NAME@COMMIT/PATH"."""

    path: Path
    address: str


def download_data_set(name: str, split: str | None = None) -> list[DataSetFile]:
    """Download the Parquet files of a data set; what is in the cache already is not fetched again.

    Args:
        name: "user/name" or "user/name@revision"; "user/name@refs/convert/parquet" is the Hub's own conversion of a
            data set that holds other files.
        split: take only the files of this one.

    Raises:
        HubError: if the Hub does not answer, there is no such data set, it has no such file, or a file is damaged.
    """
    repo_id, _, revision = name.partition("@")
    try:
        commit, names = _list_files(repo_id, revision or None)
        wanted = [file for file in names if split is None or split_of_file(PurePosixPath(file)) == split]
        files = [
            DataSetFile(path, f"hf://datasets/{repo_id}@{commit}/{file}")
            for file, path in zip(wanted, _download(repo_id, commit, wanted), strict=True)
        ]
    except HubError:
        raise
    except Exception as error:  # the Hub's client raises many kinds
        raise HubError(f"the data set {name} cannot be downloaded: {in_one_line(error)}") from error
    if not files:
        which = f" of the split {split!r}" if split else ""
        raise HubError(f"{name} holds no Parquet files{which}; try {repo_id}@refs/convert/parquet")
    return files


def _list_files(repo_id: str, revision: str | None) -> tuple[str, list[str]]:
    if huggingface_hub.constants.HF_HUB_OFFLINE:
        folder = Path(
            huggingface_hub.snapshot_download(repo_id, repo_type="dataset", revision=revision, local_files_only=True)
        )
        return folder.name, sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*.parquet"))
    info = huggingface_hub.HfApi().dataset_info(repo_id, revision=revision)
    if info.sha is None or info.siblings is None:
        raise HubError(f"the Hub names neither the commit nor the files of the data set {repo_id}")
    return info.sha, sorted(file.rfilename for file in info.siblings if file.rfilename.endswith(".parquet"))


def _download(repo_id: str, commit: str, names: list[str]) -> list[Path]:
    def fetched(name: str, *, force: bool = False) -> Path:
        file = huggingface_hub.hf_hub_download(
            repo_id, name, repo_type="dataset", revision=commit, force_download=force
        )
        return Path(file)

    paths = [fetched(name) for name in names]
    if huggingface_hub.constants.HF_HUB_OFFLINE or not names:
        return paths
    infos = huggingface_hub.HfApi().get_paths_info(repo_id, names, revision=commit, repo_type="dataset")
    files = [info for info in infos if isinstance(info, RepoFile)]
    expected = {file.path: file.lfs.sha256 for file in files if file.lfs is not None}
    for number, name in enumerate(names):
        # The client accepts whatever has the right size, also from its cache.
        if name in expected and sha256_of(paths[number]) != expected[name]:
            paths[number] = fetched(name, force=True)
            if sha256_of(paths[number]) != expected[name]:
                raise HubError(f"{repo_id}: {name} is damaged: the Hub has other bytes")
    return paths
