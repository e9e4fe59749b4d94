"""Ray Data, where a cluster of machines does the work: `pip install -r requirements-ray.txt`."""

import json
import logging
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any

from face_expression.cli.pictures import Picture
from face_expression.errors import DataError
from face_expression.output.picture_records import PictureRecord

log = logging.getLogger(__name__)

_ATTEMPTS = 2
# Where Ray is started for this machine alone, nobody else can reach it.
_LOCAL_RAY = {"_node_ip_address": "127.0.0.1"}
# Pictures of a block, so that few are lost by a kill, and blocks of a run of Ray Data, which lists them all beforehand.
_PICTURES_OF_A_BLOCK = 32
_BLOCKS_OF_A_RUN = 512


class Engine(StrEnum):
    """Which machines do the work."""

    LOCAL = "local"
    RAY = "ray"


def ray_data() -> Any:
    """The module `ray.data`, connected to a cluster, or to one of this machine alone.

    Raises:
        DataError: if Ray is not installed, or does not start.
    """
    try:
        import ray
    except ModuleNotFoundError as error:
        raise DataError("--engine ray needs `pip install -r requirements-ray.txt`") from error
    if not ray.is_initialized():
        options: dict[str, Any] = {} if os.environ.get("RAY_ADDRESS") else dict(_LOCAL_RAY)
        options |= {"log_to_driver": False, "include_dashboard": False, "logging_level": "error"}
        for attempt in range(_ATTEMPTS):
            try:
                ray.init(**options)
                break
            except Exception as error:  # Ray raises plain exceptions, too; it gives a busy machine 30 s only
                ray.shutdown()
                if attempt + 1 == _ATTEMPTS:
                    raise DataError(f"Ray cannot be started or reached: {error}") from error
    ray.data.DataContext.get_current().enable_progress_bars = False
    return ray.data


def predicted_by_ray(
    pictures: Sequence[Picture],
    numbers: Sequence[int],
    make_predictor: Callable[[], Callable[[Picture], PictureRecord]],
    *,
    workers: int | None,
    stop: threading.Event,
) -> Iterator[tuple[int, PictureRecord]]:
    """Analyse pictures on a Ray cluster, whose machines all see their files.

    Args:
        pictures: all.
        numbers: which of them.
        make_predictor: picklable; called once in each process.
        workers: processes; default: one for each core of the cluster.
        stop: once set, what is on its way is given up.

    Yields:
        (number, record) as they come. A block whose process died is left out: the caller finds what is missing.

    Raises:
        DataError: if Ray is not installed.
    """
    data = ray_data()
    import ray

    # A picture that kills its process must not end all others.
    ray.data.DataContext.get_current().max_errored_blocks = -1
    most = workers or max(1, int(ray.cluster_resources().get("CPU", 1)))

    for first in range(0, len(numbers), _PICTURES_OF_A_BLOCK * _BLOCKS_OF_A_RUN):
        of_run = numbers[first : first + _PICTURES_OF_A_BLOCK * _BLOCKS_OF_A_RUN]
        predict_block = _block_predictor({number: pictures[number] for number in of_run}, make_predictor)
        blocks = (of_run[start : start + _PICTURES_OF_A_BLOCK] for start in range(0, len(of_run), _PICTURES_OF_A_BLOCK))
        items = [{"numbers": list(block)} for block in blocks]
        found = data.from_items(items, override_num_blocks=len(items)).map_batches(
            predict_block, batch_size=1, concurrency=(1, min(most, len(items)))
        )
        for row in found.iter_rows():
            number, record = json.loads(row["answer"])
            yield number, record
            if stop.is_set():
                return


def _block_predictor(
    pictures: Mapping[int, Picture], make_predictor: Callable[[], Callable[[Picture], PictureRecord]]
) -> type:
    """What Ray runs in each process; it carries its pictures there itself."""

    class PredictBlock:
        def __init__(self) -> None:
            self._predict = make_predictor()

        def __call__(self, batch: dict) -> dict:
            numbers = [int(number) for block in batch["numbers"] for number in block]
            return {"answer": [json.dumps((number, self._predict(pictures[number]))) for number in numbers]}

    return PredictBlock
