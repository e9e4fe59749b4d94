"""All steps from one file of settings; what one has done already, it does not do again."""

from collections.abc import Callable

from huggingface_hub import HfApi

from data_tools.collect.step import collect
from data_tools.dataset.publish import describe_publication, publish
from data_tools.dataset.split import split
from data_tools.filter.step import filter_step
from data_tools.report.step import draw_report
from data_tools.settings import RunSettings
from data_tools.work.manifest import opened
from face_expression.cli.ray_engine import Engine


def run(settings: RunSettings, *, api: HfApi, say: Callable[[str], None] = print) -> None:
    """Collect, filter, apply what reviewers decided, split, publish if that is asked for, and draw the report.

    Args:
        settings: of all steps.
        api: the Hub, and who we are there; asked only if something is published there.
        say: is given each step's summary.

    Raises:
        DataError: as the steps do.
    """
    engine = Engine(settings.engine)
    with opened(settings.work, create=True) as manifest:
        say("collect\n\n" + collect(manifest, settings.sources, settings.fetch, engine=engine))
        say("\nfilter\n\n" + filter_step(manifest, settings.filter, engine=engine))
        say(f"\nsplit\n\n{split(manifest, settings.split)}")
        if settings.publish is not None:
            say("\npublish\n\n" + describe_publication(publish(manifest, settings.publish, api=api)))
        say("\n" + draw_report(manifest, settings.report))
