"""What the programs of this project say on the error stream."""

import logging

from face_expression.hub.download import silence_client


def log_to_stderr() -> None:
    """Show our own log lines as plain sentences; what fails at the Hub we say ourselves, once."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    for name in ("httpx", "httpx2"):
        logging.getLogger(name).setLevel(logging.WARNING)
    silence_client()
