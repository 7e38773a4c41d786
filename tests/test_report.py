"""What `evaluate` puts on the page, on ads worked by hand."""

import re

import numpy as np
import pytest
from handmade import certain, make_classifier, make_features, make_fused, make_split
from PIL import Image
from reading import names, read_page, read_table, run

from adcat.report.items import ITEMS
from adcat.workspace.layout import Workspace

CATEGORIES = ["bikes", "cars", "sofas"]
VALIDATION = [0, 1, 2, 0, 1, 2] * 20
TEST = [0, 0, 1, 1, 2, 2, 2, 1]
TEXT = [0, 0, 0, 0, 1, 2, 2, 1]  # 5 of 8
IMAGE = [0, 1, 1, 2, 0, 2, 0, 1]  # 4 of 8
BEST = [0, 0, 1, 0, 1, 2, 2, 1]  # 6 of 8: what text knows, and one ad that image alone knows
EARLY = [0, 1, 0, 1, 2, 2, 2, 1]  # 6 of 8: both ads that neither knows
HISTORY = [
    {"epoch": e, "step": s, "learning_rate": 0.1, "validation_top1": t, "validation_loss": 1 - t}
    for e, s, t in [(1, 5, 0.25), (1, 10, 0.5), (2, 15, 0.5), (2, 20, 0.75), (3, 30, 1.0)]
]


def both(predicted, steering=VALIDATION):
    return {"validation": certain(steering, 3), "test": certain(predicted, 3)}


@pytest.fixture
def workspace(tmp_path):
    """A workspace to change and evaluate."""
    return make_workspace(tmp_path)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A workspace that is evaluated without any option."""
    made = make_workspace(tmp_path_factory.mktemp("finished"))
    run(made)
    return made


def make_workspace(tmp_path):
    """`max` is best on the validation ads, `nn` learned from all of the ads and from a tenth."""
    made = Workspace(tmp_path / "w")
    for i in range(4):  # the other photos are missing
        Image.new("RGB", (40, 30), (200, 60 * i, 0)).save(tmp_path / f"test-{i}.png")
    labels = {"train": [0] * 40 + [1] * 4 + [2], "validation": VALIDATION, "test": TEST}
    make_split(made, CATEGORIES, labels, tmp_path)
    for modality in ("text", "image"):
        make_classifier(made, modality)
    steering = {
        "text": certain([0, 1, 2, 0, 0, 0] * 20, 3),
        "image": certain([0, 1, 2, 1, 2, 0] * 20, 3),
    }
    make_features(
        made,
        {"validation": steering, "test": {"text": certain(TEXT, 3), "image": certain(IMAGE, 3)}},
    )
    make_fused(made, "max", both(BEST))
    nearly = [0, 1, 2, 0, 1, 0] * 20
    shared = {"policy": "nn", "history": HISTORY}
    make_fused(made, "nn", both(TEXT, nearly), **shared, fraction=1.0, learning_rate=0.1)
    make_fused(
        made, "nn-10", both(IMAGE, nearly), **shared, fraction=0.1, learning_rate=0.1, curve_every=1
    )
    make_fused(made, "pool", both(EARLY, nearly), "pool", "vectors", HISTORY)
    return made


def test_the_files(finished):
    measured = {"automation", "categories", "confusion", "models", "pairs", "reliability", "size"}
    printed = {"table-5.1", "table-5.3", "table-5.4", "table-5.10", "table-A.1"}
    assert names(finished, "tables") == measured | printed
    drawn = {"overview", "automation", "reliability", *(f"figure-5.{i}" for i in (1, 2, 3, 4))}
    assert names(finished, "figures") == drawn
    files = finished.evaluation.check().files
    assert all(f"figures/{name}.{form}" in files for name in drawn for form in ("png", "svg"))
    assert all(f"tables/{name}.{form}" in files for name in printed for form in ("csv", "md"))


def test_the_first_sentence_is_about_the_model_chosen_on_validation(finished):
    page = read_page(finished)
    assert (
        "max puts 75.0% of the ads into the right category: 12.5 points more than text alone, "
        "not a significant difference." in page
    )
    assert "nothing; whatever is chosen is not chosen on test ads" in str(
        finished.evaluation.manifest().notes
    )


def test_the_page_opens_with_every_model_best_first_and_what_is_no_better_than_a_part(finished):
    page = (finished.evaluation / "report.html").read_text()
    assert page.index("<img") < page.index("<nav")
    assert (
        "best first: max 75.0%, pool 75.0%, nn 62.5%, text 62.5%, image 50.0%, nn-10 50.0%." in page
    )
    svg = (finished.evaluation / "figures/overview.svg").read_text()
    names = re.findall(r"<text[^>]*>([a-z][^<]*?)(?:   [0-9.]+)?</text>", svg)
    assert names[1:] == ["max", "pool", "nn", "text", "image", "nn-10"]  # all beat their parts


def test_a_model_that_beats_no_part_on_the_validation_ads_stands_apart(workspace):
    same = [0, 1, 2, 0, 0, 0] * 20  # as text has it
    make_fused(workspace, "max", both(BEST, same))
    page = run(workspace)
    svg = (workspace.evaluation / "figures/overview.svg").read_text()
    assert svg.index("nn-10") < svg.index("no better than a part") < svg.index("max")
    assert "models that are no more accurate on the validation ads than the best" in page


def test_thresholds_of_the_chosen_model_come_first_those_of_all_on_demand(finished):
    page = (finished.evaluation / "report.html").read_text()
    first, rest = page.split("max and the baselines</h3>")[1].split("<summary>All models</summary>")
    cells = re.findall(r'word">([^<]+)</td>', first)
    assert list(dict.fromkeys(cells)) == ["max", "text", "image"]
    assert {"nn", "pool"} <= set(re.findall(r'word">([^<]+)</td>', rest.split("</details>")[0]))


def test_where_text_alone_is_chosen_the_page_says_so(workspace):
    page = run(workspace, "text", "image")
    assert "text puts 62.5% of the ads into the right category" in page
    assert (
        "It was chosen on the validation ads, 120 ads: the simplest of the models that one "
        "standard error does not tell from the best." in page
    )
    assert "Late fusion" not in page


def test_pairs_by_hand(workspace):
    run(workspace, "text", "image", "max")
    rows = {(row["better"], row["worse"]): row for row in read_table(workspace, "pairs")}
    assert set(rows) == {("text", "image"), ("max", "text"), ("max", "image")}
    row = rows["max", "image"]
    assert (row["only the better is right"], row["only the worse is right"]) == ("2", "0")
    assert float(row["p"]) == pytest.approx(0.5)
    assert float(row["p, corrected"]) == 1


def test_tables_of_each_approach(finished):
    late = read_table(finished, "table-5.1")
    assert [(row["type"], row["model"]) for row in late] == [
        ("heuristic policy", "max"),
        ("network policy", "nn"),  # and not the one that learned from a tenth
        ("baseline", "text"),
        ("baseline", "image"),
    ]
    assert float(late[0]["top-1"]) == pytest.approx(6 / 8)
    assert [row["model"] for row in read_table(finished, "table-5.4")] == ["pool", "text", "image"]
    best = [(row["approach"], row["model"]) for row in read_table(finished, "table-5.10")]
    assert best == [
        ("late fusion", "max"),
        ("early fusion", "pool"),
        ("baseline", "text"),
        ("baseline", "image"),
    ]


def test_more_data_is_compared_where_nothing_else_differs(finished, workspace):
    (row,) = read_table(finished, "table-5.3")
    assert (row["model"], float(row["share of the ads"])) == ("nn", 0.1)
    assert float(row["with that share"]) == pytest.approx(4 / 8)
    assert float(row["gain"]) == pytest.approx(1 / 8)
    other = {"policy": "nn", "history": HISTORY, "fraction": 0.1, "learning_rate": 0.2}
    make_fused(workspace, "nn-10", both(IMAGE), **other)
    run(workspace)
    assert "table-5.3" not in names(workspace, "tables")


def test_shares_of_the_validation_ads_are_compared_where_nothing_else_differs(workspace):
    shared = {"policy": "nn-validation", "fit_on": "validation"}
    predicted = {"nn-80": (BEST, 0.8), "nn-50": (IMAGE, 0.5), "nn-20": (TEXT, 0.2)}
    for name, (best_guess, share) in predicted.items():
        make_fused(
            workspace,
            name,
            both(best_guess),
            **shared,
            policy_share=share,
            learned={"ads": round(share * 100)},
        )
    make_fused(workspace, "nn-70", both(BEST), **shared, hidden_units=9)  # of an earlier version
    page = run(workspace)
    rows = read_table(workspace, "policy-shares-late-fusion")
    assert [(row["model"], float(row["share of the validation ads"])) for row in rows] == [
        ("nn-20", 0.2),
        ("nn-50", 0.5),
        ("nn-80", 0.8),
    ]
    assert [row["ads learned from"] for row in rows] == ["20", "50", "80"]
    assert [float(row["top-1"]) for row in rows] == [5 / 8, 4 / 8, 6 / 8]
    assert "Networks by their share of the validation ads, on the test part" in page
    make_fused(workspace, "nn-80", both(BEST), **shared, policy_share=0.7, hidden_units=9)
    run(workspace, "nn-80", "nn-70", "nn-20")  # the same share, and one of other settings
    assert "policy-shares-late-fusion" not in names(workspace, "tables")


def test_late_curves_have_the_first_two_epochs_and_early_ones_all(finished):
    page = read_page(finished)
    svg = (finished.evaluation / "figures/figure-5.1.svg").read_text()
    assert "validation accuracy (%)" in svg
    assert "epochs" in svg
    alt = (finished.evaluation / "report.html").read_text()
    assert "Line chart of validation accuracy (%) over epochs: nn ends at 75." in alt
    assert "Line chart of validation accuracy (%) over epochs: pool ends at 100." in alt
    assert "Figure 5.2: validation loss (nats per ad) of late fusion networks" in page


def test_error_groups_in_a_sentence(finished):
    assert (
        "For 37.5% of the ads only one of text and image is right: that is what combining them "
        "can gain; for 25.0% neither is right. max gets 100.0% of the ads that only the image "
        "gets right, keeps 100.0% of those that only the text gets right, and finds 0.0% of "
        "those that neither does." in read_page(finished)
    )


def test_thresholds_come_from_validation_and_are_measured_on_test(workspace):
    sure = certain(BEST, 3)
    sure[3] = [0.4, 0.3, 0.3]  # the two errors of `max` are less sure than the rest
    sure[4] = [0.3, 0.4, 0.3]
    steering = certain(VALIDATION, 3)
    steering[:60:3] = [0.3, 0.4, 0.3]  # as are its errors in validation
    make_fused(workspace, "max", {"validation": steering, "test": sure})
    run(workspace, "text", "image", "max")
    rows = [row for row in read_table(workspace, "automation") if row["model"] == "max"]
    assert [float(row["required precision"]) for row in rows] == [0.9, 0.95, 0.98, 0.99]
    assert {round(float(row["threshold"]), 3) for row in rows} == {0.8}
    assert {float(row["share accepted"]) for row in rows} == {0.75}
    assert {float(row["precision"]) for row in rows} == {1}
    assert {float(row["accepted errors per 1,000 ads"]) for row in rows} == {0}


def test_a_precision_that_is_not_reached_is_told(finished):
    page = read_page(finished)
    assert (
        "At 95% required precision, max can categorise 100.0% of the ads automatically, 75.0% of "
        "them correctly: 250 accepted errors per 1,000 ads, and 0.0% of the ads for human review. "
        "That is below the required precision: the threshold was chosen on only 120 validation ads."
        in page
    )


def test_a_precision_that_no_ad_of_the_part_reaches_is_told(workspace):
    steering = certain(np.roll(VALIDATION, 1), 3)  # wrong, but for the surest
    steering[:54:3] = [0.9, 0.05, 0.05]
    make_fused(workspace, "max", {"validation": steering, "test": certain(BEST, 3)})
    page = run(workspace, "max")
    assert (
        "max reaches 95% precision on the validation ads only with a confidence of 0.9, which "
        "none of these ads reaches: every ad needs human review." in page
    )


def test_few_ads_choose_no_threshold_however_right_they_are(workspace):
    steering = certain(np.roll(VALIDATION, 1), 3)
    steering[:51:3] = [0.9, 0.05, 0.05]  # 17 are right: with 1 of 2 more, 18 of 19 are not 95 %
    make_fused(workspace, "max", {"validation": steering, "test": certain(BEST, 3)})
    page = run(workspace, "max")
    assert (
        "120 validation ads do not show that any threshold gives max 95% precision: every ad needs "
        "human review." in page
    )


def test_confused_categories_with_their_ads(finished):
    page = read_page(finished)
    assert "max makes 2 errors, no two between the same categories" in page
    first, second = read_table(finished, "confusion")
    assert (first["category"], first["other category"]) == ("cars", "bikes")
    assert first["taken for the other"] == "1"
    assert (second["category"], second["other category"]) == ("sofas", "cars")
    assert "Its most confident errors cars and bikes test 3 true: cars" in page


def test_categories_that_are_confused_more_than_once_are_named(workspace):
    page = run(workspace, "image")
    assert (
        "image makes 4 errors, 2 of them between sofas and bikes, and 100.0% between the 3 pairs "
        "of categories below" in page
    )


def test_accuracy_by_size(finished):
    page = read_page(finished)
    rows = read_table(finished, "size")
    assert [row["training ads of the category"] for row in rows] == ["1 to 2", "3 to 9", "30 to 99"]
    assert [float(row["max"]) for row in rows] == pytest.approx([2 / 3, 2 / 3, 1])
    assert (
        "In categories with 1 to 2 training ads max is right for 66.7% of 3 ads, in those with 30 "
        "to 99 for 100.0% of 2 ads: chance alone could explain the difference." in page
    )


@pytest.mark.parametrize(
    ("predicted", "verdict"),
    [
        ([0] * 40, "small categories need more ads, or human review"),
        ([1] * 40, "small categories do no worse"),
    ],
)
def test_what_size_does_to_a_category_where_chance_does_not_explain_it(
    predicted, verdict, workspace
):
    parts = {"train": [0] * 40 + [1] * 4, "validation": [], "test": [0] * 20 + [1] * 20}
    make_split(workspace, CATEGORIES[:2], parts)
    probs = {"validation": np.zeros((0, 2)), "test": certain(predicted, 2)}
    make_features(workspace, {part: {"text": array} for part, array in probs.items()})
    assert verdict in run(workspace, "text")


def test_the_thesis_numbers_stand_beside_on_the_page_only(workspace):
    page = run(workspace, "--compare", "thesis")
    assert "thesis: top-1" in page
    assert "86.07%" in page  # max, Table 5.1
    assert "43.25%" in page  # max, Table 5.2
    assert "86.05%" in page  # nn with all of the data, Table 5.3
    assert "thesis: top-1" not in read_table(workspace, "table-5.1")[0]
    effects = {row["effect"]: row for row in read_table(workspace, "effects")}
    assert float(effects["max over text, top-1"]["thesis"]) == pytest.approx(0.0120)
    assert float(effects["max over text, top-1"]["here"]) == pytest.approx(1 / 8)
    assert effects["max over text, top-1"]["same direction"] == "yes"
    assert effects["nn over text, top-1"]["same direction"] == "no"
    assert "pool over product-max, ads neither gets right" not in effects
    make_fused(workspace, "product-max", both(BEST), "product-max")
    make_fused(workspace, "nn-validation", both(BEST), "nn-validation")
    run(workspace, "--compare", "thesis")
    effects = {row["effect"]: row for row in read_table(workspace, "effects")}
    neither = effects["pool over product-max, ads neither gets right"]
    assert float(neither["thesis"]) == pytest.approx((2750 - 1455) / 18290)
    assert float(neither["here"]) == 1
    regimes = effects["nn-validation over nn, ads only the image gets right"]
    assert float(regimes["thesis"]) == pytest.approx((4900 - 2671) / 8817)
    assert float(regimes["here"]) == 1


def test_without_being_asked_the_thesis_is_not_shown(finished):
    page = read_page(finished)
    assert "thesis: top-1" not in page
    assert "effects" not in names(finished, "tables")


def test_what_was_not_run_names_its_command(finished):
    page = read_page(finished)
    assert re.search(r"Table 5\.8 attention adcat evaluate \S+ adcat attend --insert-at c", page)
    assert re.search(
        r"Table 5\.6 .{30,60} evaluate/tables/table-5\.6 adcat fuse --policy pool", page
    )
    assert re.search(r"Table 5\.3 .{30,60} evaluate/tables/table-5\.3 Table 5\.4", page)
    assert re.search(r"Table 5\.5 .{30,60} error-groups/tables/table-5\.5 Table 5\.6", page)
    assert re.search(r"Table 5\.9 .{30,60} error-groups/tables/table-5\.9 adcat attend", page)


def test_every_item_of_the_thesis_is_listed_once():
    numbers = [item.number for item in ITEMS]
    assert len(set(numbers)) == len(numbers)
    assert {n for n in numbers if n.startswith("Table 5")} == {f"Table 5.{i}" for i in range(1, 11)}
    assert {n for n in numbers if n.startswith("Figure 5")} == {
        f"Figure 5.{i}" for i in range(1, 12)
    }
    commands = {"split", "evaluate", "error-groups", "attend"}
    assert {item.file.partition("/")[0] for item in ITEMS} == commands
    assert all(f"adcat {item.file.partition('/')[0]}" in item.command for item in ITEMS)


def test_equal_runs_give_equal_pages_and_no_path_is_in_them(finished, workspace):
    run(workspace, "--preset", "thesis")
    assert workspace.evaluation.check().digest == finished.evaluation.check().digest
    for path in workspace.evaluation.path.rglob("*"):
        if path.is_file() and path.name != "manifest.json":
            assert str(workspace.root).encode() not in path.read_bytes()


def test_one_model_alone_has_a_page(tmp_path):
    made = Workspace(tmp_path)
    make_split(made, CATEGORIES, {"train": [0, 1, 2], "validation": [], "test": TEST})
    make_features(
        made, {"validation": {"text": np.zeros((0, 3))}, "test": {"text": certain(TEST, 3)}}
    )
    page = run(made)
    assert "There is only one model, so there is nothing to compare." in page
    assert "Error groups need both classifiers, and ads with text and photo." in page
    assert "text makes no error on these ads." in page
    assert "Without validation ads no threshold can be chosen" in page
