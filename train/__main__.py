"""Train, export, evaluate and publish networks."""

import json
from pathlib import Path
from typing import Annotated

import platformdirs
import typer

from face_expression.cli.exits import exits_with_message
from face_expression.hub.download import EMBEDDED_BUNDLE
from face_expression.model.config import read_preprocessing
from train import options
from train.options import HOUSE_MODEL, HOUSE_MODEL_ARGS, Data, Imbalance, Revision

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__, pretty_exceptions_enable=False)

RUNS = Path(platformdirs.user_cache_dir("live-emotion-detector")) / "runs"
PREPROCESSING = Path(__file__).parent / "data" / "preprocessing.json"
REPORT = Path("evaluation/report.html")
_TABLE_COLUMNS = 200


@app.callback()
def main() -> None:
    """Data set -> checkpoint -> bundle -> measured bundle, one command a step."""


@app.command()
@exits_with_message
def finetune(
    data: Data,
    revision: Revision = None,
    model: options.Architecture = None,
    model_args: options.ModelArgs = None,
    pretrained: options.Pretrained = False,
    start: options.Start = None,
    preprocessing: options.OwnPreprocessing = None,
    size: options.Size = None,
    channels: options.Channels = None,
    crop_size: options.CropSize = None,
    imbalance: options.ImbalanceOption = Imbalance.NONE,
    output: options.RunFolder = RUNS / "default",
    resume: options.Resume = False,
    limit: options.TrainLimit = None,
    epochs: options.Epochs = 30,
    batch_size: options.BatchSize = 128,
    learning_rate: options.LearningRate = 0.1,
    weight_decay: options.WeightDecay = 5e-4,
    ema_decay: options.EmaDecay = 0.998,
    label_weight: options.LabelWeight = 0.3,
    layer_decay: options.LayerDecay = None,
    teacher: options.TeacherFile = None,
    teacher_weight: options.TeacherWeight = 0.5,
    photos: options.Photos = None,
    photo_share: options.PhotoShare = 0.25,
    rare_repeats: options.RareRepeats = 1,
    workers: options.Workers = 1,
    seed: int = 0,
) -> None:
    """Train a network on the votes (or labels) of a data set, and keep the average of its weights.

    With --from, a data set may name some of that model's classes only: the zip that "Teach it" of the live view offers.
    Ctrl-C saves; the same command with --resume goes on, also after a kill.
    """
    from train.finetune import Recipe
    from train.finetune import finetune as run
    from train.model.initial_weights import open_starting_point
    from train.model.networks import fit_input

    begun = None if start is None else open_starting_point(start)
    if preprocessing is not None:
        settings = read_preprocessing(preprocessing)
    else:
        settings = read_preprocessing(PREPROCESSING) if begun is None else begun.preprocessing
    if begun is not None:
        architecture, arguments = model or begun.architecture, begun.model_args
    else:
        architecture, arguments = model or HOUSE_MODEL, json.loads(HOUSE_MODEL_ARGS) if model is None else {}
    final = run(
        data=data,
        revision=revision,
        output=output,
        preprocessing=fit_input(
            settings,
            architecture if model is not None and begun is None else None,
            size_px=size,
            channels=channels or (3 if pretrained else None),
            crop_px=crop_size,
        ),
        recipe=Recipe(
            architecture=architecture,
            model_args=arguments if model_args is None else _json_object(model_args),
            epochs=epochs,
            batch_size=batch_size,
            learning_rate=learning_rate,
            weight_decay=weight_decay,
            ema_decay=ema_decay,
            label_weight=label_weight,
            imbalance=imbalance.value,
            pretrained=pretrained,
            start=None if begun is None else begun.name,
            layer_decay=layer_decay,
            seed=seed,
        ),
        start=begun,
        extras=_extras(teacher, teacher_weight, photos, photo_share, rare_repeats),
        workers=workers,
        resume=resume,
        limit=limit,
    )
    typer.echo(f"checkpoint: {final}")


def _extras(
    teacher: Path | None, teacher_weight: float, photos: list[Path] | None, photo_share: float, rare_repeats: int
):
    if teacher is None and not photos and rare_repeats == 1:
        return None
    from train.data.teacher import read_teacher
    from train.data.training_set import Extras

    return Extras(
        teacher=None if teacher is None else read_teacher(teacher),
        teacher_weight=teacher_weight,
        photos=tuple(photos or ()),
        photo_share=photo_share,
        rare_repeats=rare_repeats,
    )


def _json_object(text: str) -> dict:
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise typer.BadParameter(f"--model-args is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise typer.BadParameter("--model-args must be a JSON object")
    return value


@app.command()
@exits_with_message
def select(
    networks: Annotated[
        list[Path], typer.Argument(help="Bundles, checkpoints or runs; the first is the one to beat.", metavar="RUN...")
    ],
    data: Data,
    revision: Revision = None,
    faces: Annotated[
        Path | None,
        typer.Option(file_okay=False, help="Folder of genki.parquet, yale.parquet and london.parquet."),
    ] = None,
) -> None:
    """Compare networks on the validation split and on photographs, by the rule of `train/select/step.py`.

    A bundle's probabilities are calibrated, a checkpoint's are not: export a candidate before the choice is made.
    """
    from rich.console import Console

    from train.select.step import select as run
    from train.select.step import show

    selection = run(places=networks, data=data, revision=revision, faces=faces)
    console = Console()
    show(selection, console if console.is_terminal else Console(width=_TABLE_COLUMNS))


@app.command()
@exits_with_message
def teach(
    teachers: Annotated[list[Path], typer.Argument(help="Bundles, checkpoints or runs to average.")],
    data: Data,
    output: Annotated[Path, typer.Option(dir_okay=False, help="File to write, .parquet; for finetune --teacher.")],
    revision: Revision = None,
    photos: Annotated[
        list[Path] | None,
        typer.Option(dir_okay=False, help="Parquet file of photographs to predict too; may be repeated."),
    ] = None,
) -> None:
    """Average the predictions of several networks for the train split, over three crop sizes and mirror images."""
    from train.teach import teach as run

    pictures = run(teachers=teachers, data=data, revision=revision, photos=photos or [], output=output)
    typer.echo(f"teacher: {output} ({pictures} pictures)")


@app.command()
@exits_with_message
def convert(
    source: Annotated[
        Path, typer.Argument(help="A bundle, or an npm package (folder, .tgz): @vladmandic/human 3.3, face-api 1.7.")
    ],
    data: Data,
    output: Annotated[Path, typer.Option(help="Folder to write, for finetune --from.")],
    revision: Revision = None,
    preprocessing: Annotated[
        Path, typer.Option(help="Preprocessing for the network of a package.", show_default="the project's")
    ] = PREPROCESSING,
    faces: Annotated[int, typer.Option(min=2, help="Faces on which batch-norm statistics are measured.")] = 512,
) -> None:
    """Convert public weights, or a bundle whose checkpoint is lost, into initial weights for finetune --from."""
    from train.convert.step import convert as run

    converted = run(
        source=source,
        data=data,
        revision=revision,
        output=output,
        preprocessing=read_preprocessing(preprocessing),
        faces=faces,
    )
    typer.echo(f"checkpoint: {output} (from {converted})")


@app.command()
@exits_with_message
def export(
    checkpoint: Annotated[Path, typer.Argument(help="The folder that finetune printed.")],
    data: Data,
    revision: Revision = None,
    bundle: Annotated[Path, typer.Option(help="Folder to write.")] = EMBEDDED_BUNDLE,
    int8: Annotated[
        bool, typer.Option("--int8", help="Weights and activations on eight bits: smaller, faster.")
    ] = False,
    class_bias: Annotated[
        bool, typer.Option("--class-bias", help="Calibrate a bias for each class on the validation votes.")
    ] = False,
    prior_shift: Annotated[
        float,
        typer.Option(min=0, max=1, metavar="TAU", help="Prefer rare classes: logits - TAU x log(share)."),
    ] = 0.0,
) -> None:
    """Write a checkpoint as a bundle: ONNX, preprocessing, temperature and abstention threshold from validation."""
    from train.export.step import export as run

    config = run(
        checkpoint=checkpoint,
        data=data,
        revision=revision,
        bundle=bundle,
        int8=int8,
        class_bias=class_bias,
        prior_shift=prior_shift,
    )
    typer.echo(f"bundle: {bundle} (temperature {config.temperature:g}, not sure below {config.abstain_below:.0%})")


@app.command()
@exits_with_message
def calibrate(
    data: Data,
    bundle: Annotated[Path, typer.Option(help="Bundle to change.")] = EMBEDDED_BUNDLE,
    revision: Revision = None,
) -> None:
    """Fit a bundle's temperature, thresholds and quality limits again on validation, and write its graphs anew."""
    from train.export.step import calibrate as run

    config = run(bundle=bundle, data=data, revision=revision)
    typer.echo(f"bundle: {bundle} (temperature {config.temperature:g}, not sure below {config.abstain_below:g})")


@app.command()
@exits_with_message
def evaluate(
    data: Annotated[
        str | None, typer.Option(help="Folder of Parquet files, or a Hub data set USER/NAME; not with --stream.")
    ] = None,
    revision: Revision = None,
    bundle: Annotated[Path, typer.Option(help="Bundle to measure; metrics.json is written into it.")] = EMBEDDED_BUNDLE,
    split: Annotated[str, typer.Option(help="Split to evaluate; never select models on test.")] = "test",
    groups: Annotated[str | None, typer.Option(metavar="COLUMN", help="Compare the groups of this column.")] = None,
    robustness: Annotated[
        bool, typer.Option(help="Also measure robustness to corruptions, which takes longest.")
    ] = True,
    fairness: Annotated[
        Path | None,
        typer.Option(file_okay=False, help="Folder of london.parquet, fairface.parquet and genki.parquet."),
    ] = None,
    report: Annotated[Path, typer.Option(help="HTML report to write; it shows faces of the data set.")] = REPORT,
    no_report: Annotated[bool, typer.Option("--no-report", help="Write metrics.json alone.")] = False,
    stream: Annotated[
        Path | None, typer.Option(help="A video to evaluate the live path on, instead of --data.")
    ] = None,
    truth: Annotated[
        Path | None, typer.Option(help="Its true labels: CSV with the columns start_s,end_s,label, in order of time.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(dir_okay=False, help="With --stream: JSON to write; default: NAME.stream.json beside the video."),
    ] = None,
) -> None:
    """Measure a bundle through the app's own path: on a data set, or with --stream and --truth on a video."""
    if stream is not None or truth is not None or output is not None:
        return _evaluate_stream(stream=stream, truth=truth, bundle=bundle, output=output, data=data)
    if data is None:
        raise typer.BadParameter("name a data set with --data, or a video with --stream and --truth")
    from train.evaluate.step import evaluate as run

    metrics = run(
        bundle=bundle,
        data=data,
        revision=revision,
        split=split,
        group_column=groups,
        robustness=robustness,
        fairness=fairness,
        report=None if no_report else report,
    )
    for name, figures in metrics["protocols"].items():
        shown = {key: value for key, value in figures.items() if isinstance(value, int | float)}
        typer.echo(f"{name}: " + ", ".join(f"{key} {value:.4g}" for key, value in shown.items()))
    if not no_report:
        typer.echo(f"report: {report} (it shows faces of the data set: keep it to yourself)")


def _evaluate_stream(
    *, stream: Path | None, truth: Path | None, bundle: Path, output: Path | None, data: str | None
) -> None:
    from train.live.replay import evaluate_stream
    from train.live.scores import summary

    if stream is None or truth is None:
        raise typer.BadParameter("--stream VIDEO and --truth CSV belong together, and --output to them")
    if data is not None:
        raise typer.BadParameter("--stream evaluates a video, not a data set; leave out --data")
    typer.echo(summary(evaluate_stream(video=stream, truth=truth, bundle=bundle, output=output)))


@app.command()
@exits_with_message
def make_stream(
    data: Data,
    output: Annotated[
        Path, typer.Option(dir_okay=False, help="Video to write, .mp4 or .avi; its truth gets the same name with .csv.")
    ],
    revision: Revision = None,
    bundle: Annotated[Path, typer.Option(help="Bundle whose labels are shown.")] = EMBEDDED_BUNDLE,
    split: Annotated[str, typer.Option(help="Whose faces are shown.")] = "test",
    seconds_per_label: Annotated[float, typer.Option(min=0.5, help="How long each label holds.")] = 3.0,
    rounds: Annotated[int, typer.Option(min=1, help="How often each label comes up.")] = 1,
    seed: Annotated[int, typer.Option(min=0)] = 0,
) -> None:
    """Make a video of faces whose labels change at known times, for evaluate --stream; it is not to be published."""
    from train.live.synthetic_video import make_stream as run

    truth = run(
        data=data,
        revision=revision,
        split=split,
        bundle=bundle,
        output=output,
        seconds_per_label=seconds_per_label,
        rounds=rounds,
        seed=seed,
    )
    typer.echo(f"video: {output}\ntruth: {truth}")


@app.command()
@exits_with_message
def measure(
    data: Data,
    revision: Revision = None,
    limit: Annotated[int, typer.Option(min=1, help="Faces of each split, evenly spread.")] = 4000,
    preprocessing: Annotated[Path, typer.Option(help="File to rewrite.")] = PREPROCESSING,
) -> None:
    """Measure crop margins of both detectors, how far faces are turned and how certain YuNet is, and write it down."""
    from train.export.crop_rules import measure as run

    typer.echo(json.dumps(run(data=data, revision=revision, limit=limit, preprocessing_file=preprocessing)["measured"]))


@app.command()
@exits_with_message
def compare(
    models: Annotated[list[str], typer.Option(help="custom_cnn, or timm architectures; several after one flag.")],
    data: Data,
    more_models: Annotated[list[str] | None, typer.Argument(hidden=True, metavar="MODELS")] = None,
    revision: Revision = None,
    output: Annotated[
        Path, typer.Option(help="Folder of runs and results.", show_default="runs/comparison in your cache")
    ] = RUNS / "comparison",
    resume: options.Resume = False,
    limit: options.TrainLimit = None,
    size: options.Size = None,
    split: Annotated[str, typer.Option(help="Split to measure on; never select models on test.")] = "validation",
    preprocessing: Annotated[
        Path, typer.Option(help="How faces become model input.", show_default="the project's")
    ] = PREPROCESSING,
    epochs: options.Epochs = 12,
    batch_size: options.BatchSize = 128,
    learning_rate: options.LearningRate = 0.1,
    weight_decay: options.WeightDecay = 5e-4,
    ema_decay: options.EmaDecay = 0.998,
    label_weight: options.LabelWeight = 0.3,
    workers: options.Workers = 1,
    seed: int = 0,
    seeds: Annotated[int, typer.Option(min=1, help="Train each so many times, with SEED, SEED + 1, ...")] = 3,
    beside: Annotated[
        Path, typer.Option(help="A bundle to measure, too.", show_default="the embedded network")
    ] = EMBEDDED_BUNDLE,
) -> None:
    """Train several networks on one budget, and write one table and one picture of what came of it."""
    from train.compare.step import compare as run
    from train.finetune import Recipe
    from train.model.networks import fit_input

    rows = run(
        # What follows the flag's first value reaches us as arguments.
        models=models + (more_models or []),
        seeds=seeds,
        beside=beside,
        data=data,
        revision=revision,
        output=output,
        preprocessing=fit_input(read_preprocessing(preprocessing), None, size_px=size),
        recipe=Recipe(
            architecture="",
            model_args={},
            epochs=epochs,
            batch_size=batch_size,
            learning_rate=learning_rate,
            weight_decay=weight_decay,
            ema_decay=ema_decay,
            label_weight=label_weight,
            seed=seed,
        ),
        limit=limit,
        split=split,
        workers=workers,
        resume=resume,
    )
    for row in rows:
        spread = row.spread("accuracy")
        runs = f" (spread of {len(row.runs)} runs: {100 * spread:.1f} points)" if spread is not None else ""
        typer.echo(f"{row.model}: accuracy {row.accuracy:.1%}{runs}, {row.p50_ms:.2f} ms")
    typer.echo(f"comparison: {output / 'comparison.md'}")


@app.command()
@exits_with_message
def card(
    bundle: Annotated[Path, typer.Option(help="Bundle whose metrics.json fills the card.")] = EMBEDDED_BUNDLE,
    path: Annotated[Path, typer.Option(help="Card to fill in.")] = Path("model_card.md"),
) -> None:
    """Fill the figures of a bundle into the model card."""
    from train.publish.model_card import fill_card

    fill_card(bundle, path)
    typer.echo(f"card: {path}")


@app.command()
@exits_with_message
def publish(
    repo: Annotated[str, typer.Option(help="Model repository USER/NAME; created if missing.")],
    bundle: Annotated[Path, typer.Option(help="A bundle that was evaluated.")] = EMBEDDED_BUNDLE,
    checkpoint: Annotated[
        Path, typer.Option(help="The folder that finetune printed, from which the bundle was exported.")
    ] = RUNS / "default" / "final",
    card_path: Annotated[Path, typer.Option("--card", help="Model card to fill in.")] = Path("model_card.md"),
    private: Annotated[bool, typer.Option("--private", help="Make a new repository private.")] = False,
) -> None:
    """Push bundle, detector weights, timm weights and model card to the Hub in one commit, and check what is there."""
    from huggingface_hub import HfApi

    from train.publish.step import publish as run

    published = run(repo_id=repo, bundle=bundle, checkpoint=checkpoint, card=card_path, private=private, api=HfApi())
    typer.echo(f"published: {published.repository}\ncommit: {published.commit}")


if __name__ == "__main__":
    app()
