"""What came of a step, as tables of text."""

from collections.abc import Iterable

from data_tools.work.manifest import Manifest


def summary(manifest: Manifest) -> str:
    """How many rows there are of each status and reason, and of each label."""
    rows = [
        (status, reason or "", count)
        for (status, reason), count in manifest.counts("status", "rejection_reason").items()
    ]
    labels = manifest.counts("query_label", "status")
    by_label = {label for label, _ in labels}
    kept = [
        (
            label or "(none)",
            sum(count for (name, _), count in labels.items() if name == label),
            labels.get((label, "kept"), 0),
        )
        for label in sorted(by_label, key=str)
    ]
    return f"{table(('status', 'reason', 'rows'), rows)}\n\n{table(('found for', 'rows', 'kept'), kept)}"


def table(head: tuple[str, ...], rows: Iterable[tuple]) -> str:
    """Rows under a head, in columns; numbers to the right."""
    lines = [head, *rows]
    widths = [max(len(str(line[column])) for line in lines) for column in range(len(head))]

    def cell(value: object, width: int) -> str:
        return f"{value:>{width},}" if isinstance(value, int) else f"{value!s:<{width}}"

    shown = ["  ".join(cell(value, width + 2) for value, width in zip(line, widths, strict=True)) for line in lines]
    return "\n".join(line.rstrip() for line in shown)
