import dataclasses
import resource
import subprocess
import sys

import numpy as np
import pytest
from memory import allocated

from adcat import thesis
from adcat.errors import BadInputError, DivergedError, LackOfMemoryError
from adcat.text import word_sums
from adcat.text.corpus import Corpus, TextFacts
from adcat.text.fasttext_model import load, resolve, train
from adcat.text.fasttext_settings import FastTextSettings

ADS = [
    (0, "röd soffa i läder"),
    (0, "soffa och fåtölj"),
    (0, "bäddsoffa blå"),
    (1, "bil med vinterdäck"),
    (1, "röd bil"),
    (3, "tält för fyra"),
]
CATEGORIES = 5  # 2 and 4 without an ad
TEXTS = [text for _, text in ADS] + [
    "",
    "okänd ordföljd",
    "soffa",
    "soffa soffa soffa",
    "x",
    "日本語 soffa 😀",
]
SMALL = FastTextSettings(epochs=200, bucket=50, dim=7, learning_rate=0.5)


def facts(ads, words):
    return TextFacts(ads=ads, categories=CATEGORIES, words=words)


def corpus(ads=ADS, categories=CATEGORIES):
    labels = np.array([label for label, _ in ads], int)
    return Corpus(lambda: iter([[text for _, text in ads]]), labels, categories)


def trained(folder, seed=0, ads=ADS, **changes):
    settings = resolve(dataclasses.replace(SMALL, **changes), facts(len(ads), 100))
    return train(corpus(ads), settings, seed, folder)


def saved(folder, seed=0, **changes):
    trained(folder, seed, **changes).save(folder)
    return (folder / "model.bin").read_bytes()


def own_prediction(folder, texts):
    """What fastText's own predict says without the 1e-5 that it adds: [n, categories]."""
    import fasttext

    model = fasttext.load_model(str(folder / "model.bin"))
    probs = np.zeros((len(texts), CATEGORIES))
    for row, text in zip(probs, texts, strict=True):
        for label, p in zip(*model.predict(text, k=-1), strict=True):
            row[int(label.removeprefix("__label__"))] = p - 1e-5
    return probs


def plain_vectors(folder, texts):
    """The mean of the vectors that fastText names, one after the other: [n, dim]."""
    import fasttext

    model = fasttext.load_model(str(folder / "model.bin"))
    A = model.get_input_matrix()  # noqa: N806
    return np.array(
        [
            np.mean([A[i] for w in [*text.split(), "</s>"] for i in model.get_subwords(w)[1]], 0)
            for text in texts
        ]
    )


@pytest.mark.parametrize(
    "changes", [{}, {"dim": 16}, {"maxn": 0}, {"minn": 1, "maxn": 2}, {"word_ngrams": 2}], ids=str
)
def test_probabilities_are_those_of_fasttext_without_its_offset(tmp_path, changes):
    saved(tmp_path, **changes)
    model = load(tmp_path, CATEGORIES)
    vectors, probs = model.features(TEXTS)
    np.testing.assert_allclose(probs, own_prediction(tmp_path, TEXTS), atol=1e-6)
    np.testing.assert_allclose(probs.sum(axis=1), 1, atol=1e-6)
    assert (probs.argmax(axis=1)[: len(ADS)] == [label for label, _ in ADS]).all()
    assert (probs[:, [2, 4]] == 0).all()
    assert probs.dtype == vectors.dtype == np.float32
    assert vectors.shape == (len(TEXTS), model.dimension)
    assert model.dimension == changes.get("dim", 7)


@pytest.mark.parametrize("changes", [{}, {"maxn": 0}], ids=str)
def test_vectors_are_means_over_words_ngrams_and_the_end_of_the_line(tmp_path, changes):
    model = trained(tmp_path, **changes)
    model.save(tmp_path)
    expected = plain_vectors(tmp_path, TEXTS)
    np.testing.assert_allclose(model.features(TEXTS)[0], expected, atol=1e-6)


def test_logits_are_the_vectors_times_fasttexts_own_output_matrix(tmp_path):
    import fasttext

    saved(tmp_path)
    own = fasttext.load_model(str(tmp_path / "model.bin"))
    columns = [int(label.removeprefix("__label__")) for label in own.get_labels()]
    logits, _ = load(tmp_path, CATEGORIES, "logits").features(TEXTS)
    expected = plain_vectors(tmp_path, TEXTS) @ own.get_output_matrix().T
    np.testing.assert_allclose(logits[:, columns], expected, atol=1e-5)
    assert (logits[:, [2, 4]] == 0).all()


def test_word_ngrams_change_the_vectors(tmp_path):
    model = trained(tmp_path, word_ngrams=2)
    there, back = model.features(["röd soffa", "soffa röd"])[0]
    assert np.abs(there - back).max() > 1e-4


def test_one_against_all_is_every_sigmoid_over_their_sum(tmp_path):
    model = trained(tmp_path, loss="ova")
    model.save(tmp_path)
    vectors, probs = model.features(TEXTS)
    own = own_prediction(tmp_path, TEXTS)  # fastText's sigmoid is a table of 512 steps
    np.testing.assert_allclose(probs, own / own.sum(axis=1, keepdims=True), atol=0.02)

    import fasttext

    known = fasttext.load_model(str(tmp_path / "model.bin"))
    columns = [int(label.removeprefix("__label__")) for label in known.get_labels()]
    sigmoids = 1 / (1 + np.exp(-vectors @ known.get_output_matrix().T))
    expected = sigmoids / sigmoids.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(probs[:, columns], expected, atol=1e-6)
    assert (probs[:, [2, 4]] == 0).all()


def test_a_text_without_any_vector_is_uniform_over_the_known_categories(tmp_path):
    model = trained(tmp_path, min_count=100)  # not even the end of the line is that frequent
    vectors, probs = model.features(["", "röd soffa"])
    np.testing.assert_array_equal(vectors[0], 0)
    np.testing.assert_allclose(probs[0], [1 / 3, 1 / 3, 0, 1 / 3, 0], atol=1e-6)
    assert probs[1].argmax() == 0


def test_a_model_without_any_vector_is_an_error(tmp_path):
    with pytest.raises(BadInputError, match=r"no word .* occurs 100 times; type: --min-count 1"):
        trained(tmp_path, min_count=100, maxn=0)


def test_no_texts_give_no_rows(tmp_path):
    vectors, probs = trained(tmp_path).features([])
    assert vectors.shape == (0, 7)
    assert probs.shape == (0, CATEGORIES)


def test_forgetting_words_changes_nothing(tmp_path, monkeypatch):
    model = trained(tmp_path)
    whole = model.features(TEXTS)
    monkeypatch.setattr(word_sums, "MAX_WORDS", 2)
    forgetful = [model.features([text]) for text in [*TEXTS, *TEXTS]]
    for i in (0, 1):
        rows = np.concatenate([pair[i] for pair in forgetful])
        np.testing.assert_allclose(rows, np.concatenate([whole[i], whole[i]]), atol=1e-6)


def test_a_text_costs_the_same_however_many_words_were_read_before(tmp_path):
    model = trained(tmp_path)

    def one_by_one(first, last):
        return sum(allocated(model.features, [f"soffa {i}"]) for i in range(first, last))

    early = one_by_one(0, 100)
    model.features([" ".join(map(str, range(200, 30_000)))])
    late = one_by_one(30_000, 30_100)
    assert late < 2 * early


def test_what_is_loaded_works_like_what_was_saved(tmp_path):
    model = trained(tmp_path)
    model.save(tmp_path)
    for before, after in zip(
        model.features(TEXTS), load(tmp_path, CATEGORIES).features(TEXTS), strict=True
    ):
        np.testing.assert_array_equal(before, after)


def dirty_memory():
    """Fills and frees memory of every size, so that whoever forgets to initialise his sees NaN."""
    junk = [np.full(size, np.nan, np.float32) for size in 2 ** np.arange(2, 22) for _ in range(20)]
    assert all(np.isnan(block[0]) for block in junk)


FRESH = """
import sys, pathlib
sys.path.insert(0, sys.argv[1])
from test_text_fasttext_model import saved
sys.stdout.buffer.write(saved(pathlib.Path(sys.argv[2])))
"""


@pytest.mark.parametrize("ads", [ADS, [(0, "a"), (1, "b")]], ids=["small", "tiny"])
def test_one_seed_gives_one_model_whatever_the_memory_held(tmp_path, ads):
    models = []
    for _ in range(5):
        dirty_memory()
        models.append(saved(tmp_path, ads=ads))
    assert len(set(models)) == 1
    assert saved(tmp_path, seed=1, ads=ads) != models[0]


def test_a_fresh_process_gives_the_same_model(tmp_path, request):
    dirty_memory()
    here = saved(tmp_path)
    command = [sys.executable, "-c", FRESH, str(request.path.parent), str(tmp_path)]
    assert subprocess.run(command, capture_output=True, check=True).stdout == here


@pytest.mark.parametrize("threads", [1, 2, 3, 9, 16])
def test_no_number_is_left_to_chance_with_any_number_of_threads(tmp_path, threads):
    dirty_memory()
    model = trained(tmp_path, threads=threads)
    assert model.is_finite()
    vectors, probs = model.features(TEXTS)
    assert np.abs(vectors).max() < 100
    np.testing.assert_allclose(probs.sum(axis=1), 1, atol=1e-6)


def test_nothing_is_left_in_the_scratch_folder_and_nothing_is_printed(tmp_path, capfd):
    trained(tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")


def test_divergence_is_an_error_that_names_the_learning_rate(tmp_path):
    with pytest.raises(DivergedError, match=r"learning rate 1e\+06; .* --learning-rate 5e\+05$"):
        trained(tmp_path, learning_rate=1e6)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("ads", "changes", "found"),
    [
        ([], {}, "0 of 5 have 1 or more"),
        (ADS[:3], {}, "1 of 5 have 1 or more"),
        (ADS, {"min_count_label": 3}, "1 of 5 have 3 or more"),
    ],
)
def test_fewer_than_two_categories_are_an_error(tmp_path, ads, changes, found):
    with pytest.raises(BadInputError, match=f"training ads of at least two categories; {found}"):
        trained(tmp_path, ads=ads, **changes)


def test_too_little_memory_is_an_error(tmp_path):
    with pytest.raises(LackOfMemoryError, match="not enough memory for vectors of length 10000"):
        trained(tmp_path, bucket=2**31 - 100, dim=10_000)  # 86 TB


def test_a_rare_category_can_be_left_out(tmp_path):
    model = trained(tmp_path, min_count_label=2)
    assert (model.features(TEXTS)[1][:, 3] == 0).all()


def test_a_full_disk_is_an_error(tmp_path):
    model = trained(tmp_path, bucket=10_000)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(OSError, match="written only in part"):
            model.save(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize(
    ("ads", "words", "epochs", "bucket"),
    [
        (300, 5_000, 100, 10_000),
        (667, 52_000, 97, 100_000),
        (2_500, 100_000, 50, 100_000),
        (100_000, 4_000_000, 8, 2_000_000),
        (646_187, 26_000_000, 3, 2_000_000),
        (5_000_000, 200_000_000, 3, 2_000_000),
    ],
)
def test_what_follows_from_the_data(ads, words, epochs, bucket):
    resolved = resolve(FastTextSettings(), facts(ads, words))
    assert (resolved.epochs, resolved.bucket, resolved.min_count) == (epochs, bucket, 1)


def test_noise_doubles_the_data_and_leaves_out_words_seen_once():
    resolved = resolve(FastTextSettings(augment_noise=0.1), facts(50_000, 8_000))
    assert (resolved.epochs, resolved.bucket, resolved.min_count) == (8, 20_000, 2)


def test_what_is_given_is_kept():
    given = FastTextSettings(epochs=1, bucket=7, min_count=0, threads=3, augment_noise=0.5)
    assert resolve(given, facts(10, 10)) == given
    assert resolve(FastTextSettings(threads=0), facts(10, 10)).threads >= 1
    assert resolve(FastTextSettings(maxn=0), facts(10, 10)).bucket == 0
    assert resolve(FastTextSettings(maxn=0, word_ngrams=2), facts(10, 6000)).bucket == 20_000


def test_ngram_lengths_that_contradict_each_other_are_an_error():
    with pytest.raises(BadInputError, match="--minn 4 is above --maxn 3; for no n-grams: --maxn 0"):
        resolve(FastTextSettings(minn=4, maxn=3), facts(10, 10))


def test_the_published_settings_are_those_of_the_thesis():
    assert thesis.settings("train-text")["fasttext"] == {
        "folds": 0,
        "fields": "both",
        "text_cleaning": "thesis",
        "learning_rate": 0.9683111567577267,
        "lr_update_rate": 100,
        "dim": 100,
        "ws": 5,
        "epochs": 3,
        "neg": 5,
        "loss": "softmax",
        "threads": 12,
        "min_count": 1,
        "min_count_label": 0,
        "word_ngrams": 1,
        "bucket": 2_000_000,
        "minn": 3,
        "maxn": 6,
        "t": 0.0001,
        "augment_noise": 0.2,
        "tune_fraction": 1.0,
    }


@pytest.mark.parametrize("share", [0, 0.001, 0.01, 0.5, 0.9])
def test_a_model_that_was_cut_off_is_refused_before_fasttext_reads_it(tmp_path, share):
    content = saved(tmp_path)
    (tmp_path / "model.bin").write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match=r"too few|expected at least"):
        load(tmp_path, CATEGORIES)


@pytest.mark.parametrize("position", [8, 40, 64, 68, 72])
def test_a_header_that_promises_more_than_the_file_holds_is_refused(tmp_path, position):
    content = bytearray(saved(tmp_path))
    content[position | 3] = 0x7F  # the highest byte of dim, bucket, entries, words or labels
    (tmp_path / "model.bin").write_bytes(content)
    with pytest.raises(ValueError, match="expected at least"):
        load(tmp_path, CATEGORIES)
