"""For whom the app does worse: photographs of people of whom something is known, through the app's own path.

    london    the same adults neutral and smiling, by gender and by ethnicity (self-reported), one row
              for each person, so that both pictures of one are resampled together
    fairface  by race, gender and age group as its publishers recorded them; it has no labels of expressions, so its
              tables describe what the app answers and do not say what is right
    genki     its development rows: whether "happy is the largest bar" agrees with smile, by light

Each is {"n" pictures, "tables"}, a table as in `train.evaluate.fairness_tables`; a set whose file is missing is left
out.
"""

from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from face_expression import Face, Pipeline
from face_expression.errors import DataError
from train.data.dataset import decode
from train.data.photographs import nearest_the_centre, read_photographs
from train.evaluate.end_to_end import load_app
from train.evaluate.fairness_tables import group_table

FILES = ("london.parquet", "fairface.parquet", "genki.parquet")


def measure_fairness(bundle: Path, folder: Path) -> dict:
    """All tables.

    Args:
        bundle: folder of the bundle.
        folder: where the files are.

    Raises:
        DataError: if there is none of the files, one cannot be read, or the bundle has no class that is asked for.
    """
    if not (present := [name for name in FILES if (folder / name).is_file()]):
        raise DataError(f"{folder} holds none of {', '.join(FILES)}")
    app = load_app(bundle)
    if missing := {"happy", "neutral"} - set(app.label_names):
        raise DataError(f"fairness is measured on smiles and neutral faces; the bundle has no {sorted(missing)}")
    measures = {"london.parquet": _london, "fairface.parquet": _fairface, "genki.parquet": _genki}
    return {name.removesuffix(".parquet"): measures[name](folder / name, app) for name in present}


def analyze_photographs(file: Path, app: Pipeline, keep=lambda row: True) -> list[tuple[dict, Face | None]]:
    """Each row that is kept, without its picture, and the face nearest the centre, None where none is found."""
    analyzed = []
    for row in tqdm(read_photographs(file), unit="face", desc=f"fairness: {file.stem}", leave=False):
        image = row.pop("image")
        if not keep(row):
            continue
        picture = decode(image)
        frame = picture if picture.ndim == 3 else cv2.cvtColor(picture, cv2.COLOR_GRAY2RGB)
        analyzed.append((row, nearest_the_centre(app.analyze(frame), frame.shape[1], frame.shape[0])))
    return analyzed


def _london(file: Path, app: Pipeline) -> dict:
    people = {}
    happy = app.label_names.index("happy")
    analyzed = analyze_photographs(file, app)
    for row, face in analyzed:
        people.setdefault(row["face_id"], {"row": row})[row["expression"]] = face
    pairs = [person for person in people.values() if {"neutral", "smiling"} <= person.keys()]

    def called(person: dict, expression: str, label: str) -> bool:
        return person[expression] is not None and person[expression].label == label

    def rise(person: dict) -> float:
        before, after = (
            0 if face is None else face.probabilities[happy] for face in (person["neutral"], person["smiling"])
        )
        return float(after - before)

    values = {
        "neutral face called neutral": np.array([called(person, "neutral", "neutral") for person in pairs]),
        "smiling face called happy": np.array([called(person, "smiling", "happy") for person in pairs]),
        "rise of the happy bar with the smile": np.array([rise(person) for person in pairs]),
    }
    tables = [
        group_table(by, [person["row"][by] for person in pairs], values, is_description=False)
        for by in ("gender", "ethnicity")
    ]
    return {"n": len(analyzed), "tables": tables}


def _fairface(file: Path, app: Pipeline) -> dict:
    analyzed = analyze_photographs(file, app)
    found = [(row, face) for row, face in analyzed if face is not None]
    reasons = sorted({reason for _, face in found for reason in face.reasons})
    tables = []
    for by in ("race", "gender", "age"):
        everyone, seen = ([row[by] for row, _ in part] for part in (analyzed, found))
        detected = {"face found": np.array([face is not None for _, face in analyzed])}
        unsure = {"not sure": np.array([not face.reliable for _, face in found])}
        unsure |= {f"not sure: {reason}": np.array([reason in face.reasons for _, face in found]) for reason in reasons}
        answers = {f"answer {label}": np.array([face.label == label for _, face in found]) for label in app.label_names}
        tables.append(group_table(by, everyone, detected, is_description=False))
        if found:
            tables += [group_table(by, seen, values, is_description=True) for values in (unsure, answers)]
    return {"n": len(analyzed), "tables": tables}


def _genki(file: Path, app: Pipeline) -> dict:
    def is_for_choosing(row: dict) -> bool:
        return row["split"] == "development" and row["smile"] in (0, 1)

    analyzed = analyze_photographs(file, app, is_for_choosing)
    found = [(row, face) for row, face in analyzed if face is not None]
    light = np.array([face.crop.mean() for _, face in found])
    darkest = light <= np.quantile(light, 0.1) if len(light) else np.zeros(0, bool)
    agrees = np.array([(face.label == "happy") == (row["smile"] == 1) for row, face in found])
    groups = ["darkest tenth" if dark else "the rest" for dark in darkest]
    table = group_table("light", groups, {"happy agrees with smile": agrees}, is_description=False) if found else None
    return {"n": len(analyzed), "tables": [table] if table else []}
