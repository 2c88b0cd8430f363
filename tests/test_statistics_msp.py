"""The statistics on the released grades of arXiv:2402.13213, read here without the importer."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from engine.metrics.ranking import ranking
from engine.metrics.reliability import reliability
from engine.metrics.selective import PAYOFFS, abstention

DATASETS = ("arc", "hellaswag", "mmlu", "truthfulqa", "winogrande")
PROMPTS = ("first", "second")
MODELS = ("Llama3-8b", "Mistral")


class Cell(NamedTuple):
    """One data set under one prompt, of one kind of confidence."""

    grades: list[str]
    confidences: np.ndarray

    @property
    def correct(self) -> np.ndarray:
        return np.array([grade == "Correct" for grade in self.grades])


Cells = dict[tuple[str, str, str, str], Cell]
"""By model, kind (norm, raw), data set and prompt."""


def read(folder: Path, kind: str, dataset: str, prompt: str) -> Cell:
    """The files of one cell, in the order of their question ranges."""
    files = folder.glob(f"{dataset}_*_no_abst_{kind}_logits_{prompt}_prompt.txt")
    starts = {int(re.findall(r"-q(\d+)to", path.name)[0]): path for path in files}
    lines = [
        line.split()
        for start in sorted(starts)
        for line in starts[start].read_text().splitlines()[1:]
    ]
    return Cell([grade for grade, _ in lines], np.array([float(value) for _, value in lines]))


@pytest.fixture(scope="module")
def cells(shared_data: Path) -> Cells:
    folder = shared_data / "data" / "msp"
    return {
        (model, kind, dataset, prompt): read(folder / model, kind, dataset, prompt)
        for model, kind, dataset, prompt in product(MODELS, ("norm", "raw"), DATASETS, PROMPTS)
    }


def of(cells: Cells, model: str, kind: str) -> list[Cell]:
    return [cells[model, kind, dataset, prompt] for dataset in DATASETS for prompt in PROMPTS]


def test_both_kinds_of_a_cell_are_of_the_same_answers(cells: Cells) -> None:
    for model in MODELS:
        norm, raw = of(cells, model, "norm"), of(cells, model, "raw")
        assert [cell.grades for cell in norm] == [cell.grades for cell in raw]
        assert sum(len(cell.grades) for cell in norm) == 42_814
        for one, other in zip(norm, raw, strict=True):
            assert ((one.confidences == 0) == (other.confidences == 0)).all()


@pytest.mark.parametrize(
    ("model", "accuracy", "msp", "logit"),
    [("Llama3-8b", 58.6, 71.2, 68.9), ("Mistral", 56.9, 63.5, 62.7)],
)
def test_accuracy_and_auroc_are_plain_means_over_ten_cells(
    cells: Cells, model: str, accuracy: float, msp: float, logit: float
) -> None:
    norm = of(cells, model, "norm")
    assert round(100 * np.mean([cell.correct.mean() for cell in norm]), 1) == accuracy
    for kind, published in (("norm", msp), ("raw", logit)):
        tests = [ranking(cell.confidences, cell.correct) for cell in of(cells, model, kind)]
        assert round(100 * np.mean([test.auroc for test in tests]), 1) == published
        assert sum(test.p_value < 1e-4 for test in tests) == 10


@pytest.mark.parametrize(
    ("model", "accuracy", "auroc"), [("Llama3-8b", 56.3, 76.2), ("Mistral", 52.7, 64.5)]
)
def test_mmlu_alone(cells: Cells, model: str, accuracy: float, auroc: float) -> None:
    mmlu = [cells[model, "norm", "mmlu", prompt] for prompt in PROMPTS]
    assert round(100 * np.mean([cell.correct.mean() for cell in mmlu]), 1) == accuracy
    tests = [ranking(cell.confidences, cell.correct) for cell in mmlu]
    assert round(100 * np.mean([test.auroc for test in tests]), 1) == auroc


def test_one_cell_to_the_digit(cells: Cells) -> None:
    cell = cells["Llama3-8b", "norm", "mmlu", "first"]
    found = ranking(cell.confidences, cell.correct)
    assert found is not None
    assert (found.right + found.wrong, found.u) == (6000, 6_730_686.5)
    assert f"{found.p_value:.2e}" == "4.30e-265"
    assert round(found.auroc, 5) == 0.76167


@pytest.mark.parametrize(("model", "ece", "lost"), [("Llama3-8b", 0.19, 0), ("Mistral", 0.40, 1)])
def test_ece_pools_all_cells(cells: Cells, model: str, ece: float, lost: int) -> None:
    norm = of(cells, model, "norm")
    confidences = np.concatenate([cell.confidences for cell in norm])
    correct = np.concatenate([cell.correct for cell in norm])
    published = reliability(confidences, correct, "published")
    corrected = reliability(confidences, correct, "corrected")
    assert (round(published.ece, 2), round(corrected.ece, 2)) == (ece, ece)
    assert lost == published.lost == (confidences == 1).sum()
    assert (corrected.lost, corrected.empty) == (0, 0)
    # The mean of the cells' own errors is another number: the published one pools first.
    apart = np.mean([reliability(cell.confidences, cell.correct, "published").ece for cell in norm])
    assert round(apart, 2) != ece


@pytest.mark.parametrize(
    ("model", "payoff", "base", "scores"),
    [
        ("Llama3-8b", "balanced", 17.1, (23.5, 20.7)),
        ("Llama3-8b", "conservative", -24.3, (10.3, 9.8)),
        ("Mistral", "balanced", 13.7, (17.0, 15.6)),
        ("Mistral", "conservative", -29.4, (-1.5, 4.8)),
    ],
)
def test_abstaining_scores_lie_about_the_published_ones(
    cells: Cells, model: str, payoff: str, base: float, scores: tuple[float, float]
) -> None:
    """The paper's draw of labelled questions is not known: ten draws must surround its scores."""
    for kind, published in zip(("norm", "raw"), scores, strict=True):
        drawn = [_abstaining(cells, model, kind, PAYOFFS[payoff], seed) for seed in range(10)]
        bases, found = np.array(drawn).T
        assert bases.mean() == pytest.approx(base, abs=0.1)
        assert min(found) - 0.5 <= published <= max(found) + 0.5
        assert (found > bases).mean() >= 0.9


def _abstaining(cells: Cells, model: str, kind: str, cost: float, seed: int) -> tuple[float, float]:
    """Scores without and with a threshold, mean over the prompts."""
    found = []
    for prompt in PROMPTS:
        each = {dataset: cells[model, kind, dataset, prompt] for dataset in DATASETS}
        groups = [dataset for dataset, cell in each.items() for _ in cell.grades]
        done = abstention(
            np.concatenate([cell.confidences for cell in each.values()]),
            np.concatenate([cell.correct for cell in each.values()]),
            groups,
            cost=cost,
            seed=seed,
        )
        assert done is not None
        assert done.labelled == 100
        found.append((done.base, done.score))
    base, score = np.mean(found, axis=0)
    return float(base), float(score)
