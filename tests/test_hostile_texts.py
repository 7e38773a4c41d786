"""Texts that are meant to break something, from the table through training to a prediction."""

import json

import pytest
from hostile import ADS, COLUMNS, draw_photos, read_rejected, run

SAME = "itself"
# name: (title, a title that must get the same prediction, or None where nothing is left to read)
TEXTS = {
    "an injected label": ("__label__0 soffa", "label 0 soffa"),
    "a label alone": ("__label__0", "label 0"),
    "fastText's end of a line": ("</s> soffa", "soffa"),
    "HTML": ("<b>soffa</b>", "soffa"),
    "a script": ("<script>alert('röd soffa')</script>", "alert röd soffa"),
    "a template": ("{{ 7 * 7 }} ${x} %s soffa", "7 7 x s soffa"),
    "punctuation only": ("?!... -- «»", None),
    "blanks only": (" \t\u00a0\u2003\r\n", None),
    "control characters only": ("\x00\x07\x1b\x9b", None),
    "emoji only": ("🚲👩‍🔧🛋️", SAME),
    "control characters": ("röd\x1b[31m\x07soffa\x7f", "röd 31m soffa"),
    "NUL bytes": ("röd\0soffa", "röd soffa"),
    "ends of lines": ("röd\nsoffa\r\nfin\u2028stor\u0085ny", "röd soffa fin stor ny"),
    "å as a letter and a ring": ("bla\u030a soffa", "blå soffa"),
    "å as Ångström's sign": ("bl\u212b soffa", "blå soffa"),
    "right to left": ("\u202esoffa\u200f", SAME),
    "half a surrogate pair": ("soffa \ud83d", "soffa \ufffd"),
    "a hundred thousand accents": ("a" + "\u0301" * 100_000, SAME),
    "a megabyte of words": ("soffa röd " * 100_000, SAME),
    "a megabyte without a blank": ("x" * 1_000_000, SAME),
    "twenty thousand words": (" ".join(f"ord{i}" for i in range(20_000)), SAME),
}
NAMES = list(TEXTS)
MODELS = {
    "fasttext": ["--epochs", "1"],
    "tfidf": [],
    "cnn": ["--cnn-epochs", "1", "--cnn-embedding-epochs", "1"],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A table with every text three times, so that most are trained on."""
    folder = draw_photos(tmp_path_factory.mktemp("texts") / "data")
    bad = [
        (name, title, "", ("Möbler", "Cyklar")[i % 2], "0.png")
        for name, (title, _) in TEXTS.items()
        for i in range(3)
    ]
    ads = [(f"{ad[0]}-{i}", *ad[1:]) for i, ad in enumerate([*bad, *ADS])]
    lines = [json.dumps(dict(zip(COLUMNS, ad, strict=True))) for ad in ads]
    (folder / "ads.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return folder


@pytest.fixture(
    scope="module",
    params=["fasttext", *(pytest.param(name, marks=pytest.mark.soak) for name in ("tfidf", "cnn"))],
)
def workspace(request, folder):
    """A workspace whose text model has seen it all."""
    made = folder.parent / request.param
    for words in (
        ["split", folder / "ads.jsonl", "--duplicates", "ignore"],
        ["train-text", "--folds", 0, "--model", request.param, *MODELS[request.param]],
        ["extract-features", "--modality", "text"],
    ):
        found = run(made, *words)
        assert found.exit_code == 0, found.output
    return made


@pytest.fixture(scope="module")
def predictions(workspace):
    """The prediction for every text, and for the one that must get the same, by its name."""
    titles = [title for pair in TEXTS.values() for title in (pair[0], pair[1])]
    lines = [json.dumps({"title": title or ""}) for title in titles]
    found = run(workspace, "predict", "--model", "text", input="\n".join(lines))
    assert found.exit_code == 0, found.output
    given = [json.loads(line) for line in found.stdout.splitlines()]
    return dict(zip(NAMES, zip(given[::2], given[1::2], strict=True), strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_a_text_is_an_ad_or_listed(workspace, name):
    listed = [
        reason
        for _, id_, reason in read_rejected(workspace / "split")
        if id_.startswith(f"{name}-")
    ]
    assert listed == ([] if TEXTS[name][1] else ["empty text"] * 3)


@pytest.mark.parametrize("name", NAMES)
def test_a_text_is_answered_as_what_is_left_of_it(predictions, name):
    prediction, expected = predictions[name]
    same = TEXTS[name][1]
    assert prediction["problems"] == ([] if same else ["empty text"])
    assert prediction["modality"] == ("text" if same else "none")
    assert {found["category"] for found in prediction["categories"]} == {"Möbler", "Cyklar"}
    if same != SAME:
        assert prediction["categories"] == expected["categories"]
