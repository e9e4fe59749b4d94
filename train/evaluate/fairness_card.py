"""The fairness section of `metrics.json` as Markdown tables of the model card."""

from face_expression.output.markdown import plain_words

TITLES = {
    "london": "Face Research Lab London Set, the same adults neutral and smiling",
    "fairface": "FairFace, which has no labels of expressions: these tables describe the answers",
    "genki": "GENKI-4K, development rows",
}


def fairness_lines(fairness: dict | None) -> list[str]:
    """The lines of all tables, and below each its largest gap; none if it was not measured."""
    lines = []
    for name, measured in (fairness or {}).items():
        for number, table in enumerate(measured["tables"]):
            if number == 0:
                lines += ["", f"**{TITLES[name]}** (n = {measured['n']} pictures)"]
            lines += ["", *_table(table), "", gap_sentence(table)]
    return lines[1:]


def gap_sentence(table: dict) -> str:
    """What the largest gap of a table is, and whether it is more than chance, as plain text of Markdown."""
    gap = table["largest_gap"]
    if gap is None:
        return "Fewer than two groups are large enough to be compared."
    if gap["difference"] == 0:
        return "All groups that are large enough are alike."
    word = "difference" if table["is_description"] else "gap"
    low, high = gap["difference_interval_95"]
    return (
        f"Largest {word}: {gap['measure']}, {plain_words(gap['best'])} {100 * gap['difference']:.1f} points "
        f"({100 * low:.1f} to {100 * high:.1f}) above {plain_words(gap['worst'])}; "
        f"{'significant' if gap['significant'] else 'not significant'} (p = {gap['p_value']:.4f}, corrected for the "
        "number of groups)."
    )


def _table(table: dict) -> list[str]:
    measures = list(next(iter(table["groups"].values()))["shares"])
    rows = [["by " + table["by"], "n", *map(plain_words, measures)], ["---"] * (len(measures) + 2)]
    for name, row in table["groups"].items():
        shares = [_share(row["shares"][measure], row["shares_interval_95"][measure]) for measure in measures]
        rows.append([plain_words(name), str(row["n"]), *shares])
    return ["| " + " | ".join(cells) + " |" for cells in rows]


def _share(share: float, interval: list[float]) -> str:
    return f"{share:.0%} ({interval[0]:.0%} to {interval[1]:.0%})"
