"""The tables: every figure in its column, differences with their intervals."""

import numpy as np
from form_evaluation import Decisions, FormResult
from form_tables import tables

from streamer.evaluation.paired_bootstrap import Paired


def result(base, form, *, metrics=("auroc", "pro"), hits=3):
    spread = np.array([-0.01, 0.01]) if base != form else np.zeros(2)
    pairs = {metric: Paired(base, form, form - base + spread) for metric in metrics}
    decisions = Decisions(10, 4, hits, 9, 0.01, 0.02)
    return FormResult(pairs, pairs, 0.97, 0.9, decisions, 0.25)


TILE = {"exact": result(0.9, 0.9, hits=4), "fast": result(0.9, 0.92)}
RAIL = {name: result(0.5, pro, metrics=("pro",)) for name, pro in (("exact", 0.5), ("fast", 0.48))}
RESULTS = {"tile": TILE, "rail": RAIL}


def rows(title):
    """Rows of the table under a title, by form and column."""
    (section,) = (part for part in tables(RESULTS).split("### ") if part.startswith(title + "\n"))
    head, _, *body = [
        [cell.strip() for cell in line.strip("| ").split("|")]
        for line in section.splitlines()
        if line.startswith("|")
    ]
    return {cells[0]: dict(zip(head, cells, strict=True)) for cells in body}


def test_the_base_stands_with_its_figure():
    assert rows("Per image, mean of the sets")["exact"]["AUROC"] == "0.9000"


def test_others_stand_with_their_difference_and_interval():
    cell = rows("Per image, mean of the sets")["fast"]["AUROC"]
    assert cell.startswith("+0.0200 (+0.01")
    assert " to +0.03" in cell or " to +0.029" in cell


def test_the_mean_of_the_sets_that_have_the_metric():
    table = rows("Pooled over a class, mean of the sets")
    assert table["exact"]["PRO(0.3)"] == "0.7000"
    assert table["fast"]["PRO(0.3)"].startswith("+0.0000")
    assert table["exact"]["AP"] == "-"


def test_each_set_has_its_column_where_it_has_the_metric():
    assert set(rows("AUROC per image")["fast"]) == {"form", "tile"}
    assert rows("PRO(0.3) per image")["fast"]["rail"].startswith("-0.0200")


def test_decisions_add_up():
    row = rows("Maps and decisions, over all sets")["fast"]
    assert row["regions hit"] == "6"
    assert row["regions"] == "20"
    assert row["decided alike"] == "90.0 %"
    assert row["false area"] == "2.00 %"
    assert row["lowest"] == "0.900"
    assert row["CPU s per Mpix"] == "0.250"
