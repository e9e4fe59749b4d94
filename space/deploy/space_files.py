"""What a Space is made of: the app's files from here, and a README for it."""

import re
from pathlib import Path

import onnxruntime
import yaml

from face_expression import load_pipeline
from face_expression.errors import DataError
from face_expression.hub.download import BUNDLE_FILES
from space.deploy.pinned_model import PinnedModel
from space.paths import HOUSE
from space.static_site.build import static_files

PICTURE = "docs/live.png"
README = "README.md"
# The bundle's files by name, since a report of faces may lie beside them. By the build logs
# that people post, a Space installs requirements.txt in one call of pip with packages of the Hub's own that have no
# hashes, which pip refuses beside hashes (CONTRIBUTING.md): the lock is for clones of the Space.
_PARTS = (
    "app.py",
    "requirements.txt",
    "requirements.lock",
    "LICENSE",
    PICTURE,
    "space/**/*.py",
    "space/*.yaml",
    "face_expression/**/*.py",
    *(f"face_expression/bundle/{name}" for name in BUNDLE_FILES),
    "examples/*.*",
    "web/live/*.*",
    "web/live/engine/*.*",
    "web/live/panels/*.*",
    "web/vendor/*",
)
# The package for browsers comes without its licence; the one for Python is built from the same sources.
_LICENCES = ("LICENSE", "ThirdPartyNotices.txt")
_BODY = """
# {title}

Shows what the *expression* on a face looks like, live from the webcam or from a photo. The live view runs in the
visitor's browser: no picture leaves the device unless the visitor chooses so, and nothing that is shown is kept.

![The running app]({picture})

It cannot tell what somebody feels, and it is often wrong. Do not use it to judge people, at work or in schools
(prohibited in the European Union, AI Act Art. 5(1)(f)), and tell everybody in the picture that it is running
(Art. 50(3)). Figures and limits are in the model card,
[{model}]({endpoint}/{model}/tree/{commit}).

On a machine of your own, with Python 3.11 or newer:

```
git clone {endpoint}/spaces/{space} && cd {folder}
python3 -m venv .venv && .venv/bin/pip install --require-hashes -r requirements.lock
FACE_EXPRESSION_MODEL={model}@{commit} .venv/bin/python app.py
```

These files were written by `make deploy`, and the next one replaces them. Code under Apache-2.0
([LICENSE](LICENSE)); the licences of what runs in the browser lie in `web/vendor`.
"""

_STATIC_BODY = """
# {title}

Shows what the *expression* on a face looks like, live from the webcam, in the visitor's browser: there is no server,
and no picture leaves the device. It cannot tell what somebody feels, and it is often wrong. Do not use it to judge
people, at work or in schools (prohibited in the European Union, AI Act Art. 5(1)(f)), and tell everybody in the picture
that it is running (Art. 50(3)). Figures and limits are in the model card, [{model}]({endpoint}/{model}/tree/{commit}).

These files were written by `make deploy STATIC=1`, and the next one replaces them. Licences: [{licences}]({licences}).
"""


def space_files(space: str, model: PinnedModel, folder: Path, *, endpoint: str) -> dict[str, Path]:
    """The files of a Space, by their path in it.

    Args:
        space: "user/name".
        model: what the app shall use.
        folder: an empty one, for what is written for this Space.
        endpoint: the Hub's address.

    Raises:
        DataError: if something is missing here.
    """
    files = {}
    for part in _PARTS:
        found = {file.relative_to(HOUSE).as_posix(): file for file in sorted(HOUSE.glob(part)) if file.is_file()}
        if not found:
            remedy = "; with npm installed, run `make web`" if part.startswith("web/vendor") else ""
            raise DataError(f"{HOUSE / part} is missing{remedy}")
        files |= found
    for name in _LICENCES:
        files[f"web/vendor/onnxruntime-web.{name}"] = Path(onnxruntime.__file__).parent / name
    files[README] = folder / README
    files[README].write_text(_readme(space, model, endpoint), encoding="utf-8")
    return files


def static_space_files(model: PinnedModel, bundle: Path, folder: Path, *, endpoint: str) -> dict[str, Path]:
    """The files of a static Space, by their path in it.

    Args:
        model: what is in `bundle`.
        bundle: the model's files.
        folder: an empty one, for what is written for this Space.
        endpoint: the Hub's address.

    Raises:
        DataError: if something is missing here.
    """
    contents = static_files(load_pipeline(str(bundle)), source=f"model {model.name}")
    settings = yaml.safe_load((HOUSE / README).read_text(encoding="utf-8").split("---\n")[1])
    kept = ("title", "emoji", "colorFrom", "colorTo", "license", "short_description")
    settings = {key: settings[key] for key in kept} | {
        "sdk": "static",
        "app_file": "index.html",
        "models": [model.repo_id],
    }
    if model.datasets:
        settings["datasets"] = list(model.datasets)
    body = _STATIC_BODY.format(
        title=settings["title"], model=model.repo_id, endpoint=endpoint, commit=model.commit, licences="licences.txt"
    )
    contents[README] = f"---\n{yaml.safe_dump(settings, sort_keys=False, allow_unicode=True)}---\n{body}".encode()
    for path, content in contents.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return {path: folder / path for path in contents}


def front_matter(space: str, model: PinnedModel, *, endpoint: str) -> dict[str, str | list[str]]:
    """A Space's configuration: what our README says, and what is of this Space alone.

    https://huggingface.co/docs/hub/spaces-config-reference
    """
    settings = yaml.safe_load((HOUSE / README).read_text(encoding="utf-8").split("---\n")[1])
    requirements = (HOUSE / "requirements.txt").read_text(encoding="utf-8")
    gradio = re.search(r"^gradio==(\S+)", requirements, re.MULTILINE)
    if gradio is None:
        raise DataError(f"{HOUSE / 'requirements.txt'} pins no gradio")
    settings |= {
        "sdk_version": gradio[1],
        "models": [model.repo_id],
        "thumbnail": f"{endpoint}/spaces/{space}/resolve/main/{PICTURE}",
    }
    if model.datasets:
        settings["datasets"] = list(model.datasets)
    if model.is_open:
        # A Space is built without its secrets, and could not fetch what is private.
        settings["preload_from_hub"] = list(model.preload)
    return settings


def _readme(space: str, model: PinnedModel, endpoint: str) -> str:
    settings = front_matter(space, model, endpoint=endpoint)
    body = _BODY.format(
        title=settings["title"],
        picture=PICTURE,
        model=model.repo_id,
        commit=model.commit,
        endpoint=endpoint,
        space=space,
        folder=space.split("/")[1],
    )
    return f"---\n{yaml.safe_dump(settings, sort_keys=False, allow_unicode=True, width=1000)}---\n{body}"
