"""Where the app's files lie."""

from pathlib import Path

HOUSE = Path(__file__).parent.parent
EXAMPLES = HOUSE / "examples"
WEB = HOUSE / "web"
