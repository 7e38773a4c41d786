"""What is drawn and what is combined in closed form does not depend on the processor."""

import hashlib
import json
import os
import subprocess
import sys

import numpy as np
from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__

from adcat.data.splitting import cut, draw_parts, folds
from adcat.fusion.closed_forms import max_policy, product_max, product_prior, sum_max
from adcat.probabilities import prior

PINNED = {
    "split": "0002001120000120222220000020011200001202",
    "stratified": "0002001120000010222222200020011200000102",
    "cut": "2 4 9 10 12 21 25 27 32 33 35",
    "folds": [
        "2 3 8 16 18 25 26 31 39",
        "10 11 13 15 22 33 34 36 38",
        "4 9 14 17 20 27 32 37",
        "1 6 19 21 24 29",
        "0 5 7 12 23 28 30 35",
    ],
    "max": "22204ce8e0c5885d734cf5a8e5235b9957cf8ed9600b5dc10de9b093f2c41cd4",
    "sum-max": "1cf93e658bdad6054d1406b154b88299c800c2d46104b64f49e7ea7c0decc95e",
    "product-max": "5b695a4148a2e1ebb8582c51f36439d242f2f0e967c8819519689dfea99319e7",
    "product-prior": "12f3cde9e00cd0ded58b5e41c557e0b6a4a13880500040ecaa9bfb18783bd129",
}


def digits(values):
    return "".join(map(str, values))


def results():
    """Parts of 40 ads, indices in a cut and in folds; the sha256 of what policies make of 1000."""
    groups, labels = np.arange(40) * 7 % 23, np.arange(40) % 3
    scores = np.random.default_rng(0).integers(1, 1000, (2, 1000, 13)).astype(np.float32)
    o_img, o_txt = scores / scores.sum(axis=2, keepdims=True)
    shares = prior(np.arange(1000) % 13, 13).tolist()
    probs = {
        "max": max_policy(o_img, o_txt),
        "sum-max": sum_max(o_img, o_txt),
        "product-max": product_max(o_img, o_txt),
        "product-prior": product_prior(o_img, o_txt, shares),
    }
    return {
        "split": digits(draw_parts(groups, np.zeros(40, int), 0.3, 0.2, 0)),
        "stratified": digits(draw_parts(groups, labels, 0.3, 0.2, 0)),
        "cut": " ".join(map(str, cut(groups, 28, 0)[1])),
        "folds": [" ".join(map(str, left_out)) for _, left_out in folds(groups, 5, 0)],
        **{name: hashlib.sha256(np.float32(o).tobytes()).hexdigest() for name, o in probs.items()},
    }


def test_results_are_those_of_every_machine():
    assert results() == PINNED


def test_a_simpler_processor_gives_the_same():
    """NumPy is told to leave out the instructions that it would choose on this one."""
    chosen = [name for name in __cpu_dispatch__ if __cpu_features__[name]]
    words = [sys.executable, __file__]
    found = subprocess.run(
        words, env={**os.environ, "NPY_DISABLE_CPU_FEATURES": " ".join(chosen)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert json.loads(found.stdout) == PINNED


if __name__ == "__main__":
    print(json.dumps(results()))  # noqa: T201
