"""The rows of a manifest: types, statuses and work folders of earlier versions."""

import sqlite3
from typing import get_type_hints

import pyarrow as pa

from data_tools.work.folder import WorkFolder
from data_tools.work.manifest import opened
from data_tools.work.schema import COLUMNS, SCHEMA, Reason, Row, Stage, Status, explanation, last_stage


def test_a_row_has_the_columns_and_types_of_the_schema():
    hints = get_type_hints(Row)
    assert tuple(hints) == COLUMNS
    plain = {name: hint for name, hint in hints.items() if not pa.types.is_nested(SCHEMA.field(name).type)}
    found = {
        name: (str(hint).partition(" |")[0].removeprefix("<class '").removesuffix("'>")) for name, hint in plain.items()
    }
    kinds = {"string": "str", "float": "float", "timestamp[us, tz=UTC]": "datetime.datetime"}
    assert found == {name: kinds.get(str(SCHEMA.field(name).type), "int") for name in plain}
    assert all(("None" in str(hint)) == SCHEMA.field(name).nullable for name, hint in hints.items())


def test_candidates_of_an_earlier_version_are_found_again(tmp_path):
    rows = [{"url": f"http://a/{name}", "status": Status.FETCHED} for name in ("raw", "cut")]
    with opened(tmp_path, create=True) as manifest:
        manifest.add(rows)
        manifest.update([{"url": "http://a/cut", "image_sha256": "ab"}])
    with sqlite3.connect(WorkFolder(tmp_path).database) as database:
        database.execute("PRAGMA user_version = 1")
    database.close()
    for _ in range(2):
        with opened(tmp_path) as manifest:
            assert [row["status"] for row in manifest.rows()] == [Status.FETCHED, Status.CANDIDATE]


def test_statuses_and_reasons_are_words_with_explanations():
    assert explanation("rejected", Reason.NO_FACE) == Reason.NO_FACE.description
    assert explanation("kept", None) == Status.KEPT.description
    assert explanation("of a later version", None) == ""
    assert explanation("rejected", "of a later version") == Status.REJECTED.description
    assert last_stage("of a later version") == last_stage(Reason.HTTP_STATUS) == Stage.FETCHED
    assert f"{Reason('no_face')}" == "no_face"


def test_a_long_detail_is_cut(tmp_path):
    with opened(tmp_path, create=True) as manifest:
        manifest.add([{"url": "http://a"}])
        manifest.update([{"url": "http://a", "detail": "x" * 1000}])
        assert next(manifest.rows())["detail"] == "x" * 300
