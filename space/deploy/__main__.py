"""Command line: `python -m space.deploy --help`."""

from space.deploy.step import app

if __name__ == "__main__":
    app()
