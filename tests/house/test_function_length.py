"""A function fits a screen: what is longer has stages, and each of them a name."""

import ast

import pytest

from tests.support.sources import sources

PARTS = ("app.py", "benchmarks", "data_tools", "face_expression", "space", "train")
MOST_LINES = 60
Function = ast.FunctionDef | ast.AsyncFunctionDef


def lines_of(node: ast.stmt) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def body_lines(function: Function) -> int:
    """Lines from the first statement to the last, without docstrings, those of functions inside included."""
    first, last = function.body[0], function.body[-1]
    inside = [node for node in ast.walk(function) if isinstance(node, Function | ast.ClassDef)]
    docstrings = sum(lines_of(node.body[0]) for node in inside if ast.get_docstring(node) is not None)
    return last.lineno - first.lineno + lines_of(last) - docstrings


def long_functions(source: str) -> list[str]:
    functions = [node for node in ast.walk(ast.parse(source)) if isinstance(node, Function)]
    return [node.name for node in functions if body_lines(node) > MOST_LINES]


@pytest.mark.parametrize(("statements", "found"), [(0, []), (MOST_LINES - 1, []), (MOST_LINES, ["outer"])])
def test_lines_are_counted_without_docstrings(statements, found):
    source = 'def outer():\n    """One.\n\n    Two.\n    """\n' + "    print()\n" * statements
    source += '    def inner():\n        """One.\n\n        Two.\n        """\n'
    assert long_functions(source) == found


@pytest.mark.parametrize("part", PARTS)
def test_no_function_is_longer_than_a_screen(part):
    paths = sources(part)
    found = {path.name: long_functions(path.read_text(encoding="utf-8")) for path in paths}
    assert {name: functions for name, functions in found.items() if functions} == {}
