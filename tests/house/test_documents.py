"""What the documents say is what the program does."""

import json
import re
import subprocess

import pytest

from face_expression import __version__
from face_expression.hub.download import DETECTOR_VARIABLE, EMBEDDED_BUNDLE
from tests.support.builders import REPOSITORY
from tests.support.programs import lines, predict

README = (REPOSITORY / "README.md").read_text()


def test_the_spaces_configuration_fits_the_requirements():
    front_matter = README.split("---")[1]
    settings = dict(line.split(": ", 1) for line in front_matter.strip().splitlines())
    assert f"gradio=={settings['sdk_version']}\n" in (REPOSITORY / "requirements.txt").read_text()
    assert settings["sdk"] == "gradio" and (REPOSITORY / settings["app_file"]).is_file()
    assert len(settings["short_description"]) <= 60


def test_the_example_in_the_documents_is_what_is_printed(yunet_weights):
    usage = (REPOSITORY / "docs" / "usage.md").read_text()
    (shown,) = (json.loads(text) for text in re.findall(r"```json\n(.*?)\n```", usage, re.DOTALL))
    (printed,) = lines(predict(shown["path"], **{DETECTOR_VARIABLE: str(yunet_weights)}))
    assert printed["faces"][0]["label"] == shown["faces"][0]["label"]
    for key in ("box", "score", "confidence"):
        assert printed["faces"][0][key] == pytest.approx(shown["faces"][0][key], abs=0.02, rel=0.01)
    assert printed.keys() == shown.keys() and printed["faces"][0].keys() == shown["faces"][0].keys()


def test_the_accuracy_in_the_readme_was_measured():
    protocols = json.loads((EMBEDDED_BUNDLE / "metrics.json").read_text())["protocols"]
    shown = re.sub(r"<!--.*?-->", "", README)
    assert f"{protocols['ferplus-majority-7']['accuracy']:.1%} on the" in " ".join(shown.split())


@pytest.mark.parametrize(
    "document", [*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").glob("*.md")], ids=lambda path: path.name
)
def test_links_lead_somewhere(document):
    text = document.read_text()
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        assert target.startswith("http") or (document.parent / target).exists(), target


def test_the_version_is_the_same_everywhere():
    assert json.loads((REPOSITORY / "web" / "package.json").read_text())["version"] == __version__
    assert f"\nversion: {__version__}\n" in (REPOSITORY / "CITATION.cff").read_text()
    assert f"\n## {__version__}" in (REPOSITORY / "CHANGELOG.md").read_text()


def test_make_says_what_it_can_make():
    output = subprocess.run(["make", "help"], cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    for target in ("app", "setup", "test", "style", "quality", "benchmark", "figures"):
        assert re.search(rf"^{target}\s+\S", output, re.MULTILINE)
