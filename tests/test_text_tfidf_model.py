import math

import numpy as np
import pytest
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from adcat.errors import BadInputError
from adcat.text.corpus import Corpus, measure, sample
from adcat.text.tfidf_model import (
    character_ngrams,
    document_frequencies,
    load,
    resolve,
    train,
    words_and_pairs,
)
from adcat.text.tfidf_settings import TfidfSettings

ADS = [
    (0, "röd soffa i läder"),
    (0, "soffa och fåtölj soffa"),
    (0, "bäddsoffa blå i 3 delar"),
    (1, "bil med vinterdäck"),
    (1, "röd bil 3 dörrar"),
    (3, "tält för fyra i blå färg"),
]
TEXTS = [text for _, text in ADS]
NEW = ["blå soffa", "bil bil bil med tält", "3 i", "okänt ord", ""]
CATEGORIES = 5  # 2 and 4 without an ad


def corpus(ads=ADS, block=4):
    texts = [text for _, text in ads]
    blocks = [texts[i : i + block] for i in range(0, len(texts), block)]
    return Corpus(lambda: iter(blocks), np.array([label for label, _ in ads], int), CATEGORIES)


def trained(folder, seed=0, ads=ADS, **changes):
    settings = resolve(TfidfSettings(**{"tfidf_min_df": 1, **changes}), measure(corpus(ads)))
    return train(corpus(ads), settings, seed, folder)


SCIKIT_LEARNS = {
    "word": {"token_pattern": r"\S+", "ngram_range": (1, 2)},
    "char": {"analyzer": "char_wb", "ngram_range": (2, 5)},
}


def vectorizer(min_df=1, analyzer="word"):
    own = SCIKIT_LEARNS[analyzer]
    return TfidfVectorizer(**own, sublinear_tf=True, min_df=min_df, dtype=np.float32)


@pytest.mark.parametrize("analyzer", SCIKIT_LEARNS)
@pytest.mark.parametrize("c", [0.5, 100])
@pytest.mark.parametrize("min_df", [1, 2])
@pytest.mark.parametrize("ads", [ADS, ADS[:5]], ids=["three categories", "two"])
def test_probabilities_are_those_of_scikit_learns_own_pipeline(tmp_path, c, min_df, ads, analyzer):
    made = {"tfidf_c": c, "tfidf_min_df": min_df, "analyzer": analyzer}
    _, probs = trained(tmp_path, ads=ads, **made).features(NEW)
    pipeline = make_pipeline(vectorizer(min_df, analyzer), LogisticRegression(C=c, max_iter=1000))
    labels, texts = zip(*ads, strict=True)
    expected = pipeline.fit(texts, labels).predict_proba(NEW)
    np.testing.assert_allclose(probs[:, sorted(set(labels))], expected, atol=1e-4)
    others = sorted(set(range(CATEGORIES)) - set(labels))
    assert (probs[:, others] == 0).all()
    np.testing.assert_allclose(probs.sum(axis=1), 1, atol=1e-6)
    assert probs.dtype == np.float32


def test_vectors_are_those_of_scikit_learns_truncated_svd(tmp_path):
    model = trained(tmp_path, tfidf_components=3)
    x = vectorizer().fit(TEXTS)
    svd = TruncatedSVD(3, random_state=1).fit(x.transform(TEXTS))
    vectors, _ = model.features(NEW)
    expected = svd.transform(x.transform(NEW))
    np.testing.assert_allclose(np.abs(vectors), np.abs(expected), atol=1e-4)
    assert vectors.dtype == np.float32


def test_terms_are_words_and_pairs_and_one_letter_words():
    found = words_and_pairs("säng 90 x 200")
    assert found == ["säng", "90", "x", "200", "säng 90", "90 x", "x 200"]
    assert words_and_pairs("") == []


def test_character_ngrams_stay_within_their_word_and_a_short_one_counts_once():
    assert character_ngrams("å bil") == [
        " å", "å ", " å ",
        " b", "bi", "il", "l ", " bi", "bil", "il ", " bil", "bil ", " bil ",
    ]  # fmt: skip
    assert max(map(len, character_ngrams("hörnsoffa"))) == 5
    assert character_ngrams("") == []


@pytest.mark.parametrize("analyzer", SCIKIT_LEARNS)
def test_the_terms_of_texts_are_what_the_regression_reads(tmp_path, analyzer):
    model = trained(tmp_path, analyzer=analyzer)
    x = model.terms(NEW)
    expected = vectorizer(analyzer=analyzer).fit(TEXTS).transform(NEW)
    np.testing.assert_allclose(x.toarray(), expected.toarray(), atol=1e-6)
    assert (x.format, x.dtype, model.terms([]).shape) == ("csr", np.float32, (0, x.shape[1]))
    assert x[len(NEW) - 1].nnz == 0


def test_a_model_of_an_earlier_version_reads_words(tmp_path):
    model = trained(tmp_path)
    model.save(tmp_path)
    (tmp_path / "analyzer.txt").unlink()
    np.testing.assert_array_equal(
        load(tmp_path, CATEGORIES).features(NEW)[1], model.features(NEW)[1]
    )


def test_terms_that_are_made_in_an_unknown_way_are_an_error(tmp_path):
    trained(tmp_path).save(tmp_path)
    (tmp_path / "analyzer.txt").write_text("syllable")
    with pytest.raises(ValueError, match=r"analyzer.txt: expected word or char, found 'syllable'"):
        load(tmp_path, CATEGORIES)


def test_inverse_document_frequencies_by_hand(tmp_path):
    model = trained(tmp_path)
    idf = dict(zip(model.vocabulary, model.idf, strict=True))
    assert idf["soffa"] == pytest.approx(math.log(7 / 3) + 1)  # in 2 of 6, twice in one of them
    assert idf["röd soffa"] == pytest.approx(math.log(7 / 2) + 1)


def test_a_text_without_a_known_term_has_no_vector_and_the_same_answer_as_an_empty_one(tmp_path):
    vectors, probs = trained(tmp_path).features(["okänt ord", ""])
    np.testing.assert_array_equal(vectors, 0)
    np.testing.assert_array_equal(probs[0], probs[1])
    assert probs[0].argmax() == 0  # the most frequent


def test_no_texts_give_no_rows(tmp_path):
    vectors, probs = trained(tmp_path).features([])
    assert vectors.shape == (0, 6)  # as long as there are texts
    assert probs.shape == (0, CATEGORIES)


def test_the_most_frequent_terms_are_kept():
    settings = TfidfSettings(tfidf_max_features=3)
    assert document_frequencies(corpus(), settings) == {"3": 2, "bil": 2, "i": 3}


def test_the_default_number_of_terms_follows_from_the_categories():
    assert resolve(TfidfSettings(), measure(corpus())).tfidf_max_features == 2_000_000


def test_forgetting_rare_terms_keeps_the_frequent_ones():
    found = document_frequencies(corpus(block=1), TfidfSettings(tfidf_min_df=1), 12)
    assert found["soffa"] == 2  # in the first two ads, 12 different terms so far
    assert "läder" not in found  # once, and forgotten after the third


@pytest.mark.parametrize("analyzer", SCIKIT_LEARNS)
def test_the_same_seed_gives_the_same_files_and_they_load_again(tmp_path, analyzer):
    files = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        model = trained(tmp_path, tfidf_components=2, analyzer=analyzer)
        model.save(tmp_path / name)
        files.append({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()})
    assert files[0] == files[1]
    arrays = {"idf.npy", "W.npy", "b.npy", "V.npy"}
    assert set(files[0]) == {"vocabulary.txt", "analyzer.txt", *arrays}
    again = load(tmp_path / "a", CATEGORIES).features(NEW)
    for found, expected in zip(again, model.features(NEW), strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("ads", "changes", "told"),
    [
        (ADS[:2], {}, "a classifier needs training ads of at least two categories; 1 of 5 have 1"),
        (ADS, {"tfidf_min_df": 9}, "no word is in 9 training ads; type: --tfidf-min-df 1"),
    ],
)
def test_what_cannot_be_learned_from_is_an_error(tmp_path, ads, changes, told):
    with pytest.raises(BadInputError, match=told):
        trained(tmp_path, ads=ads, **changes)


def test_a_sample_keeps_texts_and_labels_together():
    found = sample(corpus(block=2), 0.5, 3)
    texts = [text for block in found.texts() for text in block]
    assert len(texts) == len(found.labels) == 3
    assert set(zip(found.labels.tolist(), texts, strict=True)) < set(ADS)
    assert list(sample(corpus(), 1, 0).texts()) == list(corpus().texts())
