import json
import shutil
from typing import get_args, get_type_hints

import numpy as np
import pytest

from adcat.commands.train_text import Settings
from adcat.data.text_cleaning import READINGS, Reading, clean
from adcat.errors import BadInputError
from adcat.text.corpus import Corpus, measure
from adcat.text.registry import TEXT_MODELS, TermModel, load, reading_of, save

BLOCKS = [["röd soffa", "blå soffa"], ["bil", ""]]
CATEGORIES = ["bilar", "båtar", "soffor"]
ADS = Corpus(lambda: iter(BLOCKS), np.array([2, 2, 0, 0]), 3)
QUICK = {"epochs": 5, "dim": 10, "cnn_epochs": 2, "cnn_dim": 10}


@pytest.fixture(scope="module", params=list(TEXT_MODELS))
def saved(request, tmp_path_factory):
    """Every text model of the table, trained and saved."""
    folder = tmp_path_factory.mktemp("saved")
    module = TEXT_MODELS[request.param]
    settings = module.resolve(Settings(model=request.param, **QUICK), measure(ADS))
    model = module.train(ADS, settings, 0, folder)
    save(folder, request.param, model, CATEGORIES, Reading("thesis"))
    return model, folder


def test_every_model_of_the_table_is_a_choice():
    assert list(get_args(get_type_hints(Settings)["model"])) == list(TEXT_MODELS)


def test_every_model_gives_vectors_and_probabilities_and_loads_again(saved):
    model, folder = saved
    texts = ["röd soffa", "", "okänt ord"]
    vectors, probs = model.features(texts)
    assert vectors.shape == (3, model.dimension)
    assert probs.shape == (3, 3)
    assert vectors.dtype == probs.dtype == np.float32
    np.testing.assert_allclose(probs.sum(axis=1), 1, atol=1e-6)
    assert (probs[:, 1] == 0).all()  # no båtar to learn from
    for before, after in zip((vectors, probs), load(folder).features(texts), strict=True):
        np.testing.assert_array_equal(before, after)


def test_logits_are_what_every_model_takes_the_softmax_of(saved):
    model, folder = saved
    texts = ["röd soffa", "", "okänt ord"]
    vectors, probs = model.features(texts)
    of_layer = load(folder, layer="logits")
    logits, same = of_layer.features(texts)
    np.testing.assert_array_equal(same, probs)
    assert of_layer.dimension == 3 != vectors.shape[1]
    assert logits.shape == (3, 3)
    assert logits.dtype == np.float32
    assert (logits[:, 1] == 0).all()  # no båtar to learn from
    found = np.log(probs[:, [0, 2]])
    np.testing.assert_allclose(logits[:, 0] - logits[:, 2], found[:, 0] - found[:, 1], atol=1e-5)


def test_a_model_says_whether_it_reads_terms(saved):
    model, folder = saved
    description = json.loads((folder / "model.json").read_text())
    assert isinstance(model, TermModel) == (description["model"] == "tfidf")


def test_the_rows_of_a_block_do_not_depend_on_each_other(saved):
    model, _ = saved
    texts = [text for block in BLOCKS for text in block]
    whole = model.features(texts)
    single = [model.features([text]) for text in texts]
    for i in (0, 1):
        rows = np.concatenate([pair[i] for pair in single])
        np.testing.assert_allclose(rows, whole[i], atol=1e-6)


@pytest.mark.parametrize("name", TEXT_MODELS)
def test_every_model_reads_words_without_blanks_between_them(name, tmp_path):
    """New texts share words with those of training, none shares a whole text."""
    words, places = ("沙发", "手机"), ("因搬家", "九成新", "自提", "转让", "二手", "保养")
    texts = [clean(f"{place}{word}", "") for place in places for word in words]
    corpus = Corpus(lambda: iter([texts]), np.array([0, 1] * len(places)), 2)
    settings = Settings(model=name, **QUICK | {"epochs": 100, "cnn_epochs": 30})
    module = TEXT_MODELS[name]
    model = module.train(corpus, module.resolve(settings, measure(corpus)), 0, tmp_path)
    new = [clean(f"{word}出售", "全新") for word in words]
    assert model.features(new)[1].argmax(axis=1).tolist() == [0, 1]


def test_a_model_that_reads_other_texts_is_refused(saved, tmp_path):
    folder = shutil.copytree(saved[1], tmp_path / "other")
    path = folder / "model.json"
    description = json.loads(path.read_text())
    path.write_text(json.dumps(description | {"preprocessing": "as it stands"}))
    with pytest.raises(BadInputError, match=r"prepared as 'as it stands'.* adcat train-text"):
        load(folder)


def test_a_model_says_how_its_texts_were_cleaned(saved):
    """The sentence is what models say that were trained before there was a choice."""
    _, folder = saved
    description = json.loads((folder / "model.json").read_text())
    assert description["preprocessing"] == "title and description, NFC, lower case, no punctuation"
    assert reading_of(folder) == ("thesis", "both")


@pytest.mark.parametrize("reading", READINGS)
def test_what_a_model_reads_of_an_ad_is_kept_with_it(saved, tmp_path, reading):
    folder = shutil.copytree(saved[1], tmp_path / "other")
    path = folder / "model.json"
    description = json.loads(path.read_text())
    path.write_text(json.dumps(description | {"preprocessing": reading.in_words}))
    assert reading_of(folder) == reading
