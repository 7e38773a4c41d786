import json

import numpy as np
import pytest

from adcat.errors import BadInputError, DivergedError
from adcat.text import cnn_model
from adcat.text.cnn_model import load, parse_widths, resolve, train
from adcat.text.cnn_settings import CnnSettings
from adcat.text.corpus import Corpus, TextFacts, measure
from adcat.text.skip_gram import train_embeddings

TEXTS = ["röd soffa", "soffa i läder blå", "röd bil", "bil i blå färg", "tält blå", "rött tält"] * 8
LABELS = np.array([0, 0, 1, 1, 3, 3] * 8)
CATEGORIES = 5  # 2 and 4 without an ad
SMALL = {
    "cnn_epochs": 15,
    "cnn_filters": 8,
    "cnn_dim": 12,
    "cnn_widths": "1,2",
    "cnn_learning_rate": 0.02,
    "cnn_batch_size": 10,
}


def given(labels=LABELS, **changes):
    corpus = Corpus(lambda: iter([TEXTS[:20], TEXTS[20:]]), labels, CATEGORIES)
    return corpus, resolve(CnnSettings(**{**SMALL, **changes}), measure(corpus))


def trained(folder, seed=0, **changes):
    return train(*given(**changes), seed, folder)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("cnn"))


def test_it_learns(model):
    vectors, probs = model.features(["soffa", "bil", "tält", "okänt bil ord"])
    assert probs.argmax(axis=1).tolist() == [0, 1, 3, 1]
    assert vectors.shape == (4, model.dimension) == (4, 16)
    assert (probs[:, [2, 4]] == 0).all()
    np.testing.assert_allclose(probs.sum(axis=1), 1, atol=1e-6)


def test_words_are_counted_from_one_cut_and_padded(model):
    rows = model.indices(["soffa", "okänt soffa", "röd " * 9, ""])
    assert rows.shape == (4, 4)
    assert (rows[0] > 0).tolist() == [True, False, False, False]
    np.testing.assert_array_equal(rows[0], rows[1])
    assert len(set(rows[2])) == 1
    assert (rows[3] == 0).all()


def test_the_network_is_convolutions_their_maxima_and_a_softmax(model, tmp_path):
    model.save(tmp_path)
    words = json.loads((tmp_path / "vocabulary.json").read_text())["words"]
    embeddings, *weights = load(tmp_path, CATEGORIES)._network.get_weights()
    text = ["blå", "bil"]
    X = embeddings[[1 + words.index(word) for word in text] + [0, 0]]  # noqa: N806
    t = []
    for kernel, bias in (weights[:2], weights[2:4]):
        spans = [X[i : i + len(kernel)] for i in range(4 - len(kernel) + 1)]
        values = [np.tensordot(span, kernel, 2) + bias for span in spans]
        t += np.maximum(values, 0).max(axis=0).tolist()
    powers = np.exp(np.array(t) @ weights[4] + weights[5])
    found, probs = model.features([" ".join(text)])
    np.testing.assert_allclose(found[0], t, atol=1e-5)
    np.testing.assert_allclose(probs[0, [0, 1, 3]], powers / powers.sum(), atol=1e-5)


@pytest.mark.soak
def test_the_same_seed_gives_the_same_files_and_they_load_again(model, tmp_path):
    files = []
    for name, made in (("a", model), ("b", trained(tmp_path))):
        (tmp_path / name).mkdir()
        made.save(tmp_path / name)
        files.append({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()})
    assert files[0] == files[1]
    assert set(files[0]) == {"model.keras", "vocabulary.json"}
    assert {path.name for path in tmp_path.iterdir()} == {"a", "b"}  # nothing left of training
    texts = ["röd soffa", "", "okänt"]
    again = load(tmp_path / "a", CATEGORIES).features(texts)
    for found, expected in zip(again, model.features(texts), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_the_seed_draws_the_embeddings_too(tmp_path):
    first, again, other = (train_embeddings(*given(), seed, tmp_path)[1] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other)[1:].all()


def test_padding_has_no_embedding_however_long_the_training(model):
    """The first of these texts is followed by two paddings, which were read in every epoch."""
    assert model.indices(["röd soffa"])[0, 2:].tolist() == [0, 0]
    embeddings = model._network.get_weights()[0]
    assert (embeddings[0] == 0).all()
    assert (embeddings[1:] != 0).all()


@pytest.mark.parametrize("optimizer", ["rmsprop", pytest.param("sgd", marks=pytest.mark.soak)])
def test_another_optimizer_learns(tmp_path, optimizer):
    rate = {"rmsprop": 0.01, "sgd": 0.5}[optimizer]
    found = trained(tmp_path, cnn_optimizer=optimizer, cnn_learning_rate=rate, cnn_epochs=30)
    assert found.features(["soffa", "bil", "tält"])[1].argmax(axis=1).tolist() == [0, 1, 3]


@pytest.mark.soak
def test_frozen_embeddings_are_those_of_the_skip_gram(tmp_path):
    short, long = (
        trained(tmp_path, cnn_tune_embeddings=False, cnn_epochs=epochs)._network.get_weights()
        for epochs in (1, 3)
    )
    kept = [np.array_equal(a, b) for a, b in zip(short, long, strict=True)]
    assert kept.count(True) == 1  # the embeddings


def test_what_follows_from_the_data():
    facts = TextFacts(ads=50_000, categories=9, words=2_000_000, length=70)
    resolved = resolve(CnnSettings(), facts)
    found = (resolved.cnn_epochs, resolved.cnn_embedding_epochs, resolved.cnn_length)
    assert found == (20, 10, 70)
    assert resolve(CnnSettings(cnn_widths="3,9", cnn_length=2), facts).cnn_length == 9


def test_a_text_of_a_million_words_does_not_decide_how_many_are_read():
    facts = TextFacts(ads=2, categories=2, words=1_000_002, length=1_000_000)
    assert resolve(CnnSettings(), facts).cnn_length == 1000
    assert resolve(CnnSettings(cnn_length=5000), facts).cnn_length == 5000


def test_no_more_words_are_predicted_at_once_however_long_the_texts(model, monkeypatch):
    texts, blocks, indices = ["soffa"] * 20, [], model.indices
    expected = model.features(texts)
    monkeypatch.setattr(cnn_model, "WORDS_AT_ONCE", 30)  # 4 of a text
    monkeypatch.setattr(model, "indices", lambda some: blocks.append(len(some)) or indices(some))
    for found, array in zip(model.features(texts), expected, strict=True):
        np.testing.assert_allclose(found, array, atol=1e-6)
    assert blocks == [7, 7, 6]


@pytest.mark.parametrize("text", ["", "3,,4", "a", "0", "3, 4", "-1", "101", "٣"])
def test_other_widths_are_an_error(text):
    with pytest.raises(BadInputError, match="expected numbers from 1 to 100 such as 3,4,5"):
        parse_widths(text)


@pytest.mark.parametrize(
    ("changes", "error", "told"),
    [
        (
            {"labels": LABELS * 0},
            BadInputError,
            "training ads of at least two categories; 1 of 5 have 1",
        ),
        ({"cnn_min_count": 99}, BadInputError, "occurs 99 times; type: --cnn-min-count 1"),
        ({"cnn_learning_rate": 1e38}, DivergedError, "try a lower --cnn-learning-rate than 1e"),
    ],
)
def test_what_cannot_be_learned_from_is_an_error(tmp_path, changes, error, told):
    with pytest.raises(error, match=told):
        trained(tmp_path, **changes)
    assert not list(tmp_path.iterdir())
