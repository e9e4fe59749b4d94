"""YAML files that people write: read safely, and with a word on what is wrong."""

from pathlib import Path
from typing import Any

import yaml
from yaml.constructor import ConstructorError


def read_yaml(path: Path) -> Any:
    """Read what a YAML file says: plain values only.

    Raises:
        ValueError: if the file cannot be read, is no YAML, or gives a key twice; the message names the file.
    """
    try:
        # `_NoKeyTwice` is a SafeLoader: it makes nothing but plain values.
        return yaml.load(path.read_text(encoding="utf-8"), Loader=_NoKeyTwice)
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from error
    except yaml.YAMLError as error:
        raise ValueError(f"{path} is not YAML as it should be: {error}") from error


class _NoKeyTwice(yaml.SafeLoader):
    """YAML in which a key given twice is a mistake, not a silent loss of the first."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        if twice := [key for key in keys if keys.count(key) > 1]:
            raise ConstructorError(None, None, f"the key “{twice[0]}” is given twice", node.start_mark)
        return super().construct_mapping(node, deep)
