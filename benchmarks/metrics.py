"""Metrics of the thesis' test set, 179,201 ads × 193 categories, against scikit-learn.

One pass of adcat gives top-1, top-5 and each category's recall and precision; scikit-learn needs
`top_k_accuracy_score` twice and `classification_report`. Both read the same memory-mapped file;
the results are compared. Run: python benchmarks/metrics.py
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
from sklearn.metrics import classification_report, top_k_accuracy_score

from adcat.evaluation.metrics import CategoryCounts, Scores, ad_results, count_categories, score

ADS, CATEGORIES = 179_201, 193
REPEATS = 3
TARGET = 10  # times faster

Result = TypeVar("Result")


def main() -> None:
    """Makes the probabilities, times both and prints a table."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "probs.npy"
        labels = make_probabilities(path)
        probs = np.load(path, mmap_mode="r")
        ours, (scores, counts) = timed(lambda: with_adcat(probs, labels, path))
        theirs, report = timed(lambda: with_scikit_learn(probs, labels))
    check_equal(scores, counts, *report)
    print(f"{'':<14}{'seconds':>9}{'ads/s':>12}")
    for name, seconds in (("adcat", ours), ("scikit-learn", theirs)):
        print(f"{name:<14}{seconds:>9.3f}{ADS / seconds:>12,.0f}")
    print(f"ratio {theirs / ours:.1f}, target {TARGET}")


def make_probabilities(path: Path) -> np.ndarray:
    """Writes probabilities that are right for most ads; returns the labels."""
    generator = np.random.default_rng(0)
    share = 1 / np.arange(1, CATEGORIES + 1)
    labels = generator.choice(CATEGORIES, ADS, p=share / share.sum())
    logits = generator.normal(size=(ADS, CATEGORIES)).astype(np.float32) * 2
    logits[np.arange(ADS), labels] += 5
    np.exp(logits, out=logits)
    np.save(path, logits / logits.sum(axis=1, keepdims=True))
    return labels


def with_adcat(probs: np.ndarray, labels: np.ndarray, path: Path) -> tuple[Scores, CategoryCounts]:
    """Everything in one pass."""
    found = ad_results(probs, labels, path)
    counts = count_categories(found, CATEGORIES)
    return score(found, counts), counts


def with_scikit_learn(probs: np.ndarray, labels: np.ndarray) -> tuple[float, float, dict]:
    """The same numbers from scikit-learn's functions."""
    every = np.arange(CATEGORIES)
    top1, top5 = (top_k_accuracy_score(labels, probs, k=k, labels=every) for k in (1, 5))
    predicted = probs.argmax(axis=1)
    report = classification_report(
        labels, predicted, labels=every, output_dict=True, zero_division=0
    )
    return float(top1), float(top5), report


def check_equal(
    scores: Scores, counts: CategoryCounts, top1: float, top5: float, report: dict
) -> None:
    """Raises where the two differ."""
    assert abs(scores.top1 - top1) < 1e-9
    assert abs(scores.top5 - top5) < 1e-9
    assert abs(scores.mean_recall - report["macro avg"]["recall"]) < 1e-9
    assert abs(scores.mean_precision - report["macro avg"]["precision"]) < 1e-9
    for c in range(CATEGORIES):
        assert abs(counts.recall[c] - report[str(c)]["recall"]) < 1e-9
        assert abs(counts.precision[c] - report[str(c)]["precision"]) < 1e-9


def timed(work: Callable[[], Result]) -> tuple[float, Result]:
    """The best of some runs in seconds, and the result."""
    best = float("inf")
    results: list[Result] = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        results.append(work())
        best = min(best, time.perf_counter() - start)
    return best, results[-1]


if __name__ == "__main__":
    main()
