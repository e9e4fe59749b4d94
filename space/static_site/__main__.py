"""Command line: `python -m space.static_site --help`."""

from pathlib import Path
from typing import Annotated

import typer

from face_expression import load_pipeline
from face_expression.cli.exits import exits_with_message
from face_expression.cli.logging import log_to_stderr
from space.static_site.build import write_static_site

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
@exits_with_message
def main(
    to: Annotated[Path, typer.Option(help="The folder to write; one that this command wrote before is replaced.")],
    model: Annotated[str | None, typer.Option(help="A bundle's folder, or USER/NAME@REVISION on the Hub.")] = None,
) -> None:
    """Write the live view as a folder for any host of static files; once loaded, it opens without a network."""
    log_to_stderr()
    files = write_static_site(to, load_pipeline(model))
    size = sum(len(content) for content in files.values())
    typer.echo(f"folder: {to}\nfiles: {len(files)}, {size / 1e6:.1f} MB")


if __name__ == "__main__":
    app()
