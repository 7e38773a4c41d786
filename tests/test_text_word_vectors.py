import numpy as np
import pytest

from adcat.errors import BadInputError
from adcat.text.corpus import Corpus, TextFacts
from adcat.text.fasttext_model import resolve, train
from adcat.text.fasttext_settings import FastTextSettings
from adcat.text.word_vectors import check_word_vectors

GOOD = "2 3\nsoffa 1 2 3\nnågot -0.5 1e-3 0\n"
ADS = Corpus(lambda: iter([["röd soffa", "bil"]]), np.array([0, 1]), 2)


def written(folder, content):
    path = folder / "words.vec"
    path.write_text(content, encoding="utf-8")
    return path


def test_training_starts_from_them(tmp_path):
    settings = FastTextSettings(
        dim=3, maxn=0, learning_rate=0, pretrained_vectors=written(tmp_path, GOOD)
    )
    model = train(ADS, resolve(settings, TextFacts(ads=2, categories=2, words=3)), 0, tmp_path)
    end, soffa, unseen = model.features(["", "soffa", "något"])[0]
    np.testing.assert_allclose(2 * soffa - end, [1, 2, 3], atol=1e-6)
    np.testing.assert_allclose(2 * unseen - end, [-0.5, 1e-3, 0], atol=1e-6)


def test_a_good_file_passes(tmp_path):
    check_word_vectors(written(tmp_path, GOOD), 3)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "line 1: expected the number of words"),
        ("soffa 1 2 3\n", "line 1: expected the number of words"),
        ("2 4\n", "has vectors of length 4; type: --dim 4"),
        ("2 3\nsoffa 1 2 3\n", "line 3: expected a word and 3 numbers"),
        ("1 3\nsoffa 1 2\n", "line 2: expected a word and 3 numbers"),
        ("1 3\nsoffa 1 2 x\n", "line 2: expected a word and 3 numbers"),
        ("1 3\nsoffa 1 2 nan\n", "line 2: expected a word and 3 numbers"),
        ("1 3\n__label__1 1 2 3\n", "line 2: expected a word and 3 numbers"),
    ],
)
def test_a_bad_file_is_told_with_its_line(tmp_path, content, told):
    with pytest.raises(BadInputError, match=told):
        check_word_vectors(written(tmp_path, content), 3)
