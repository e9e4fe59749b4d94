"""Command line of the training loop."""

import json
from pathlib import Path
from typing import Annotated

import platformdirs
import typer

from face_expression.config import read_preprocessing
from face_expression.hub import EMBEDDED_BUNDLE

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__, pretty_exceptions_enable=False)

RUNS = Path(platformdirs.user_cache_dir("live-emotion-detector")) / "runs"
PREPROCESSING = Path(__file__).parent / "preprocessing.json"
DEFAULT_MODEL_ARGS = '{"channels": [32, 64, 128, 192]}'

Data = Annotated[str, typer.Option(help="Folder of Parquet files, or a Hub data set USER/NAME.")]
Revision = Annotated[str | None, typer.Option(help="Commit, tag or branch of a Hub data set.")]


@app.callback()
def main() -> None:
    """Data set -> checkpoint -> bundle -> measured bundle, one command a step."""


@app.command()
def finetune(
    data: Data,
    revision: Revision = None,
    model: Annotated[str, typer.Option(help="A timm architecture.")] = "resnet18",
    model_args: Annotated[str, typer.Option(help="Its arguments, as JSON.")] = DEFAULT_MODEL_ARGS,
    output: Annotated[Path, typer.Option(help="Folder of checkpoints and of the result.")] = RUNS / "default",
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint in --output.")] = False,
    epochs: Annotated[float, typer.Option(min=0)] = 30,
    batch_size: Annotated[int, typer.Option(min=2)] = 128,
    learning_rate: Annotated[float, typer.Option(min=0)] = 0.1,
    weight_decay: Annotated[float, typer.Option(min=0)] = 5e-4,
    ema_decay: Annotated[float, typer.Option(min=0, max=1)] = 0.998,
    workers: Annotated[int, typer.Option(min=0, help="Processes that prepare pictures.")] = 1,
    seed: int = 0,
) -> None:
    """Train a network on the votes (or labels) of a data set, and keep the average of its weights."""
    from train.finetune import Recipe
    from train.finetune import finetune as run

    final = run(
        data=data,
        revision=revision,
        output=output,
        preprocessing=read_preprocessing(PREPROCESSING),
        recipe=Recipe(
            model, _json_object(model_args), epochs, batch_size, learning_rate, weight_decay, ema_decay, seed
        ),
        workers=workers,
        resume=resume,
    )
    typer.echo(f"checkpoint: {final}")


def _json_object(text: str) -> dict:
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise typer.BadParameter(f"--model-args is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise typer.BadParameter("--model-args must be a JSON object")
    return value


@app.command()
def export(
    checkpoint: Annotated[Path, typer.Argument(help="The folder that finetune printed.")],
    data: Data,
    revision: Revision = None,
    bundle: Annotated[Path, typer.Option(help="Folder to write.")] = EMBEDDED_BUNDLE,
) -> None:
    """Write a checkpoint as a bundle: ONNX, preprocessing, temperature and abstention threshold from validation."""
    from train.export import export as run

    config = run(checkpoint=checkpoint, data=data, revision=revision, bundle=bundle)
    typer.echo(f"bundle: {bundle} (temperature {config.temperature:g}, not sure below {config.abstain_below:.0%})")


@app.command()
def evaluate(
    data: Data,
    revision: Revision = None,
    bundle: Annotated[Path, typer.Option(help="Bundle to measure; metrics.json is written into it.")] = EMBEDDED_BUNDLE,
    split: Annotated[str, typer.Option(help="Which split; choose nothing by test.")] = "test",
) -> None:
    """Measure a bundle through the app's own path."""
    from train.evaluate import evaluate as run

    for name, figures in run(bundle=bundle, data=data, revision=revision, split=split)["protocols"].items():
        shown = {key: value for key, value in figures.items() if isinstance(value, int | float)}
        typer.echo(f"{name}: " + ", ".join(f"{key} {value:.4g}" for key, value in shown.items()))


@app.command()
def measure(
    data: Data,
    revision: Revision = None,
    limit: Annotated[int, typer.Option(min=1, help="Faces of each split, evenly spread.")] = 4000,
    preprocessing: Annotated[Path, typer.Option(help="File to rewrite.")] = PREPROCESSING,
) -> None:
    """Measure crop margins of both detectors and how far faces are turned, and write it down."""
    from train.measure import measure as run

    typer.echo(json.dumps(run(data=data, revision=revision, limit=limit, preprocessing_file=preprocessing)["measured"]))


@app.command()
def card(
    bundle: Annotated[Path, typer.Option(help="Bundle whose metrics.json is told.")] = EMBEDDED_BUNDLE,
    path: Annotated[Path, typer.Option(help="Card to fill in.")] = Path("model_card.md"),
) -> None:
    """Fill the figures of a bundle into the model card."""
    from train.card import fill_card

    fill_card(bundle, path)
    typer.echo(f"card: {path}")


if __name__ == "__main__":
    app()
