"""What fitting `stack` and `linear` takes, as ratios to scikit-learn on the same arrays.

100,000 ads of 193 categories. `stack` weighs three classifiers' probabilities; scikit-learn's way
to stack them is a multinomial regression on their logarithms. `linear` reads 60 of 50,000 terms a
text beside vectors of 2048; scikit-learn gets both in one sparse matrix, and both get the same
number of iterations, since more take hours there. Each runs in a process of its own: seconds,
processor time, and the memory beyond that of the arrays. Give a smaller number of ads as the first
argument for a quicker look.

    python benchmarks/linear_fusion.py [ADS]
"""

import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from adcat.fusion import linear, log_linear
from adcat.probabilities import log, prior

ADS, CATEGORIES, CLASSIFIERS = 100_000, 193, 3
TERMS, TERMS_PER_AD, DIMENSION = 50_000, 60, 2048
ITERATIONS, STRENGTH, SCALE = 3, 30.0, 0.5


class Cost(NamedTuple):
    """What a fit took."""

    seconds: float
    processor: float
    gigabytes: float  # at the peak, more than before


def write_arrays(folder: Path, ads: int) -> None:
    """Draws categories, probabilities, vectors and terms of the ads."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, CATEGORIES, ads)
    np.save(folder / "labels.npy", labels)
    for k in range(CLASSIFIERS):
        probs = rng.gamma(0.3, size=(ads, CATEGORIES)).astype(np.float32)
        probs[np.arange(ads), labels] += rng.gamma(2, size=ads)
        np.save(folder / f"probs-{k}.npy", probs / probs.sum(axis=1, keepdims=True))
    centres = rng.normal(size=(CATEGORIES, DIMENSION)).astype(np.float32)
    noise = rng.normal(size=(ads, DIMENSION)).astype(np.float32)
    np.save(folder / "vectors.npy", centres[labels] + 4 * noise)
    columns = np.sort(rng.integers(0, TERMS, (ads, TERMS_PER_AD)), axis=1)
    values = np.full(columns.size, TERMS_PER_AD**-0.5, np.float32)
    starts = np.arange(0, columns.size + 1, TERMS_PER_AD)
    terms = sparse.csr_matrix((values, columns.ravel(), starts), (ads, TERMS))
    sparse.save_npz(folder / "terms.npz", terms)


def probs_of(folder: Path) -> list[np.ndarray]:
    """The probabilities of each classifier, memory-mapped: [ads, categories] each."""
    return [np.load(folder / f"probs-{k}.npy", mmap_mode="r") for k in range(CLASSIFIERS)]


def adcat_stack(folder: Path, labels: np.ndarray) -> None:
    """Weights of the classifiers."""
    log_linear.fit(probs_of(folder), labels, prior(labels, CATEGORIES), 1.0, least=0)


def sklearn_stack(folder: Path, labels: np.ndarray) -> None:
    """A regression on the logarithms of their probabilities."""
    LogisticRegression(max_iter=20).fit(np.hstack([*map(log, probs_of(folder))]), labels)


def adcat_linear(folder: Path, labels: np.ndarray) -> None:
    """A regression on terms and vectors."""
    inputs = [sparse.load_npz(folder / "terms.npz"), np.load(folder / "vectors.npy", "r")]
    rows = np.arange(len(labels))
    linear.fit(inputs, labels, rows, CATEGORIES, STRENGTH, SCALE, iterations=ITERATIONS)


def sklearn_linear(folder: Path, labels: np.ndarray) -> None:
    """The same in one sparse matrix."""
    vectors = np.load(folder / "vectors.npy")
    vectors *= SCALE / np.linalg.norm(vectors, axis=1, keepdims=True)
    terms = sparse.load_npz(folder / "terms.npz")
    inputs = sparse.hstack([terms, sparse.csr_matrix(vectors)], format="csr")
    LogisticRegression(C=STRENGTH, max_iter=ITERATIONS).fit(inputs, labels)


def apart(function: Callable[..., Any], *words: Any) -> Any:
    """Calls a function in a process of its own; a peak of memory passes on to child processes."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(function, words)


def cost_of(fit: Callable[[Path, np.ndarray], None], folder: Path) -> Cost:
    """What a fit takes in this process."""
    import warnings

    warnings.simplefilter("ignore")  # scikit-learn's, that so few iterations do not converge
    labels = np.load(folder / "labels.npy")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started, processor = time.perf_counter(), time.process_time()
    fit(folder, labels)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return Cost(
        time.perf_counter() - started, time.process_time() - processor, (peak - before) / 1024**2
    )


def main() -> None:
    """Prints a line for each pair."""
    ads = int(sys.argv[1]) if len(sys.argv) > 1 else ADS
    pairs = {"stack": (adcat_stack, sklearn_stack), "linear": (adcat_linear, sklearn_linear)}
    print(f"{ads:,} ads of {CATEGORIES} categories: seconds, processor seconds, GB")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        apart(write_arrays, folder, ads)
        for policy, fits in pairs.items():
            ours, theirs = (apart(cost_of, fit, folder) for fit in fits)
            for whose, cost in (("adcat", ours), ("scikit-learn", theirs)):
                print(f"{policy:7} {whose:13}", *(f"{value:8.2f}" for value in cost))
            ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
            print(f"{policy:7} ratio        ", *(f"{value:8.3f}" for value in ratios), flush=True)


if __name__ == "__main__":
    main()
