"""Nothing that was made elsewhere runs here: no pickles, and no HTML or Markdown from names that others chose."""

import ast
import json
import re
import shutil
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from markdown_it import MarkdownIt
from playwright.sync_api import Page, expect

import app
from face_expression import load_pipeline
from face_expression.hub.download import DETECTOR_VARIABLE, EMBEDDED_BUNDLE
from face_expression.output.markdown import plain_words
from tests.support.browsing import PATIENCE_MS, headline, wait_until_loaded
from tests.support.builders import happy_photo, save
from tests.support.sources import sources
from train.evaluate.plots import confusion_matrix, group_accuracies
from train.publish.model_card import fill_card, published_card, read_metrics

PARTS = ("face_expression", "space", "app.py", "train", "data_tools")
# Whatever reads a file in a format that can hold a program, or runs text.
FORBIDDEN_MODULES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "jsonpickle"}
FORBIDDEN_CALLS = {
    "eval",
    "exec",
    "read_pickle",
    "unsafe_load",
    "unsafe_load_all",
    "full_load",
    "full_load_all",
    "load_all",
}


def mistakes(source: str) -> list[str]:
    """What in a module could run what a file holds."""
    tree = ast.parse(source)
    safe = {"SafeLoader", "CSafeLoader"}
    safe |= {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and {ast.unparse(base).split(".")[-1] for base in node.bases} <= safe
    }
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [getattr(node, "module", None) or "", *(alias.name for alias in node.names)]
            found += [name for name in names if name.split(".")[0] in FORBIDDEN_MODULES]
        if not isinstance(node, ast.Call):
            continue
        called, given = ast.unparse(node.func), {key.arg: ast.unparse(key.value) for key in node.keywords}
        name = called.split(".")[-1]
        loader = given.get("Loader", ast.unparse(node.args[1]) if len(node.args) > 1 else "none").split(".")[-1]
        if (
            # `network.eval()` is another one.
            (name in FORBIDDEN_CALLS and (name not in ("eval", "exec") or name == called))
            or (called == "torch.load" and given.get("weights_only") != "True")
            or given.get("allow_pickle", "False") != "False"
            or given.get("trust_remote_code", "False") != "False"
            or (called == "yaml.load" and loader not in safe)
            or (name == "from_pretrained" and given.get("use_safetensors") != "True")
        ):
            found.append(ast.unparse(node))
    return found


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ("", 0),
        ("import json\njson.load(file)\nnetwork.eval()\nimport torch\ntorch.load(path, weights_only=True)", 0),
        ("class Own(yaml.SafeLoader): pass\nyaml.load(text, Loader=Own)\nyaml.load(text, yaml.SafeLoader)", 0),
        ("Network.from_pretrained(path, use_safetensors=True)\nnumpy.load(path)", 0),
        ("import pickle", 1),
        ("from pickle import loads", 1),
        ("import os, joblib", 1),
        ("import sklearn.externals\nfrom sklearn.externals import joblib", 1),
        ("torch.load(path)", 1),
        ("torch.load(path, weights_only=False)", 1),
        ("np.load(path, allow_pickle=True)", 1),
        ("np.load(path, allow_pickle=wanted)", 1),
        ("yaml.load(text)", 1),
        ("yaml.load(text, Loader=yaml.Loader)\nyaml.load(text, yaml.UnsafeLoader)", 2),
        ("class Own(yaml.Loader): pass\nyaml.load(text, Loader=Own)", 1),
        ("yaml.full_load(text)\nyaml.unsafe_load(text)\npandas.read_pickle(path)", 3),
        ("eval(text)\nexec(text)", 2),
        ("Network.from_pretrained(path)", 1),
        ("datasets.load_dataset(name, trust_remote_code=True)", 1),
    ],
)
def test_what_could_run_is_seen(source, count):
    assert len(mistakes(source)) == count


@pytest.mark.parametrize("part", PARTS)
def test_nothing_that_could_run_is_loaded(part):
    files = sources(part)
    assert files
    assert {str(file): found for file in files if (found := mistakes(file.read_text(encoding="utf-8")))} == {}


ELSEWHERE = "elsewhere.example"
NASTY = (
    f'<img src=x onerror="window.hit=1"> <b>b</b> **bold** _it_ `code` ![p](https://{ELSEWHERE}/p.png) '
    f"[l](javascript:hit=2) https://{ELSEWHERE} $$x$$ {{{{7*7}}}} ${{7*7}} </script><script>window.hit=3</script>"
)
# A file's name has no "/".
NASTY_FILE = '<img src=x onerror="window.hit=4">**bold** ![p](p.png).png'


@pytest.fixture(scope="module")
def nasty_bundle(tmp_path_factory) -> Path:
    """The embedded bundle with other labels, and figures that speak of them."""
    folder = tmp_path_factory.mktemp("nasty") / "bundle"
    shutil.copytree(EMBEDDED_BUNDLE, folder)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    names = {name: f"{name} {NASTY}" for name in config["label_names"]}
    config["label_names"] = list(names.values())
    config["face_expression"]["training"] |= {"note": NASTY, "data": NASTY}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    text = (folder / "metrics.json").read_text(encoding="utf-8")
    metrics = json.loads(text, object_hook=lambda read: {names.get(key, key): value for key, value in read.items()})
    group = {"n": 5, "accuracy": 0.5}
    gap = {"best": NASTY, "worst": NASTY, "difference": 0.1, "significant": False, "test": "a test"}
    groups = {"column": NASTY, "is_proxy": True, "groups": {NASTY: group}, "largest_gap": gap}
    metrics |= {"groups": groups, "data": metrics["data"] | {"name": NASTY}}
    (folder / "metrics.json").write_text(json.dumps(metrics), encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("", ""),
        ("happy", "happy"),
        ("not_in_train, 30.0 %", "not_in_train, 30.0 %"),
        ("_a_ __b__ c_", "_a_ __b__ c_"),
        ("a\n\n# b\u202e", "a # b"),
        ("| * ~ \\ &amp; &#60;b>", "| * ~ \\ &amp; &#60;b>"),
        (NASTY, NASTY),
    ],
)
def test_plain_words_are_shown_as_they_are(words, shown):
    tokens = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).parse(f"a{plain_words(words)}")
    assert {child.type for token in tokens for child in token.children or []} <= {"text", "text_special"}
    assert "".join(child.content for token in tokens for child in token.children or []) == f"a{shown}"


def widths_of_rows(rendered: str) -> set[int]:
    """How many cells the rows of HTML tables have."""
    return {row.count("<td") for row in rendered.split("<tr>")}


def test_a_model_card_shows_names_as_they_are(nasty_bundle, tmp_path):
    card = tmp_path / "card.md"
    card.write_text(
        "# A model\n<!-- model: begin -->\n<!-- model: end -->\n<!-- figures: begin -->\n<!-- figures: end -->\n",
        encoding="utf-8",
    )
    fill_card(EMBEDDED_BUNDLE, card)
    plain = card.read_text(encoding="utf-8")
    fill_card(nasty_bundle, card)
    for text in (card.read_text(encoding="utf-8"), published_card(card, *read_metrics(nasty_bundle), "user/name")):
        body = text.split("---\n")[-1] if text.startswith("---") else text
        parser = MarkdownIt("commonmark", {"html": True}).enable("table")
        rendered = parser.render(body)
        for markup in ("<img", "<script", "<b>", "<strong>bold", "<em>", "<a "):
            assert markup not in rendered, markup
        assert rendered.count("&lt;img src=x") >= 7 + 7 + 1 + 3
        assert widths_of_rows(rendered) <= widths_of_rows(parser.render(plain)) | {0, 2, 3, 4, 5, 6, 8}


@pytest.mark.parametrize("name", ["$x$", "$$x$$", "$\\frac{$", "]]></svg><img src=x>", "<script>x</script>"])
def test_a_drawing_of_the_report_shows_names_as_they_are(name):
    drawings = [
        confusion_matrix(np.eye(2, dtype=int).tolist(), [f"first {name}", "second"]),
        group_accuracies({name: {"n": 50, "accuracy": 0.5, "accuracy_interval_95": [0.4, 0.6], "ranked": True}}),
    ]
    for drawing in drawings:
        words = " ".join(element.text or "" for element in ElementTree.fromstring(drawing).iter())
        assert name in words and "<img" not in drawing and "<script" not in drawing


@pytest.fixture
def nasty_page(nasty_bundle, yunet_weights, installed_web, open_page, monkeypatch, tmp_path):
    """The app with such labels, opened in a browser."""
    monkeypatch.setenv(DETECTOR_VARIABLE, str(yunet_weights))
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "gradio"))
    served = app.build_app(load_pipeline(str(nasty_bundle), detector="yunet"))
    app.launch(served, prevent_thread_lock=True, quiet=True)
    yield open_page(address=served.local_url)
    served.close()


def require_nothing_ran(page: Page) -> None:
    assert page.evaluate("window.hit") is None and page.foreign_requests == []
    for markup in ("img[src=x]", f"[src*='{ELSEWHERE}']", f"a[href*='{ELSEWHERE}']", "a[href^=javascript]", ".katex"):
        assert page.locator(markup).count() == 0, markup


def test_names_of_labels_and_files_are_text_in_the_page(nasty_page, tmp_path):
    page, happy = wait_until_loaded(nasty_page), f"happy {NASTY}"
    for engine in ("on this device", "on the server"):
        page.get_by_label(engine).check()
        expect(headline(page)).to_contain_text(happy, timeout=PATIENCE_MS)
        expect(page.locator("#live-view .sentence")).to_contain_text(happy)
        expect(page.locator("#live-view .faces > .bars dt").first).to_have_text(f"angry {NASTY}")
        expect(page.locator("#live-view .session")).to_contain_text(happy)
        require_nothing_ran(page)
    page.get_by_role("tab", name="Photo").click()
    photos = page.locator("#photo-upload input[type=file]")
    photos.set_input_files(save(happy_photo(), tmp_path / NASTY_FILE))
    card = page.locator(".face-card")
    expect(card).to_contain_text(f"This expression looks {happy}", timeout=PATIENCE_MS)
    expect(card).to_contain_text(f"angry {NASTY}")
    assert card.locator("strong").first.inner_text() == "1." and card.locator("em, code, a, img").count() == 0
    assert all(re.fullmatch(r"\d+%", text) for text in card.locator("b").all_inner_texts()), "the page's own bars"
    require_nothing_ran(page)
