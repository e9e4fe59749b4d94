"""Every command that works on a Ray cluster gives what it gives on one machine; all on one cluster."""

import time

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from data_tools.work.manifest import opened
from face_expression.__main__ import app
from face_expression.cli.ray_engine import Engine, ray_data
from tests.support.builders import EXAMPLES, calm_photo, save
from tests.support.collecting import fetched, quick_settings, write_list
from tests.support.filtering import SEVERAL, SEVERAL_OUTCOMES, filtered, outcomes, put
from tests.support.local_web import running_web
from tests.support.picture_tables import picture_table
from tests.support.warm_programs import DATA, start_warm
from tests.support.work_folders import jpeg


@pytest.fixture(scope="module")
def cluster() -> str:
    """The address of a cluster of this machine, started as a command starts it."""
    ray_data()
    import ray

    return ray.get_runtime_context().gcs_address


@pytest.fixture
def site():
    with running_web() as served:
        yield served


def test_collect_gives_the_same_rows(cluster, tmp_path, site):
    for number in range(12):
        site.files[f"/{number}.jpg"] = jpeg(number)
    urls = [site.site(number % 4) + f"/{number}.jpg" for number in range(12)]
    urls += [site.site() + "/status/404", "file:///etc/passwd", site.site(1) + "/tag?name=X-Robots-Tag&value=noai"]
    here = fetched(tmp_path / "here", urls, quick_settings(site))
    there = fetched(tmp_path / "there", urls, quick_settings(site), engine=Engine.RAY)
    for rows in (here, there):
        for row in rows.values():
            assert row.pop("found_at") and row.pop("fetched_at")
    assert here == there
    assert len(list((tmp_path / "there").glob("raw/??/*"))) == 12


def test_a_killed_collection_has_noted_what_was_done(cluster, tmp_path, site, monkeypatch):
    """A worker's rows come in parts: the first are noted long before the last are asked for."""
    count = 300
    for number in range(count):
        site.files[f"/{number}.jpg"] = jpeg(number)
    path = write_list(tmp_path / "a.csv", [{"url": site.site(n % 4) + f"/{n}.jpg"} for n in range(count)])
    allowed = [part for address in site.addresses for part in ("--allow-address", address)]
    monkeypatch.setenv("RAY_ADDRESS", cluster)
    arguments = ["collect", "--work", tmp_path / "work", "--list", path, *allowed, "--engine", "ray"]
    log = tmp_path / "log.txt"
    with (
        log.open("w") as output,
        start_warm("-m", "data_tools", *arguments, modules=DATA, stdout=output, stderr=output) as program,
    ):
        deadline = time.monotonic() + 120
        while sum(times for path, times in site.asked.items() if "robots" not in path) < 200:
            assert program.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.01)
        program.kill()
        program.wait()
    with opened(tmp_path / "work") as manifest:
        noted = manifest.counts("status").get(("fetched",), 0)
    assert noted >= 60
    assert "0.0.0.0" not in log.read_text()


def test_filter_gives_the_same_rows(cluster, tmp_path):
    here = filtered(put(tmp_path / "here", SEVERAL))
    there = filtered(put(tmp_path / "there", SEVERAL), engine=Engine.RAY)
    for row in (*here, *there):
        row.pop("found_at")
    assert outcomes(here) == SEVERAL_OUTCOMES and here == there


def test_predict_gives_the_same_rows(cluster, tmp_path):
    folder, file = tmp_path / "pictures", tmp_path / "faces.parquet"
    folder.mkdir()
    happy = (EXAMPLES / "astronaut.jpg").read_bytes()
    save(calm_photo(), folder / "1.jpg")
    for name, content in (("2.jpg", happy), ("3.jpg", b"no picture"), ("4.jpg", happy)):
        (folder / name).write_bytes(content)
    pq.write_table(picture_table([happy, b"?", None, happy]), file, row_group_size=3)

    def predict(*arguments: object) -> int:
        return CliRunner().invoke(app, ["predict", "--detector", "haar", *map(str, arguments)]).exit_code

    for source in ([folder], ["--data", file]):
        here, there = tmp_path / "here.csv", tmp_path / "there.csv"
        assert predict(*source, "--results", here) == 1
        assert predict(*source, "--results", there, "--engine", "ray", "--workers", 2) == 1
        assert there.read_bytes() == here.read_bytes()
