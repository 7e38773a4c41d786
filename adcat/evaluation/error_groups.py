"""Which baseline is right about which ad, and what a model makes of it (thesis, section 4.4).

Each ad that has both text and photo is in exactly one of four groups. The last three are the
baseline error groups: an ad whose text says more, one whose image says more, and one that needs
both.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from adcat.probabilities import highest
from adcat.tables import Cell, Column, Table, percent
from adcat.types import Availabilities, Labels, Modality, Part, Probs

GROUPS = (
    "both_correct",
    "text_correct_image_incorrect",
    "image_correct_text_incorrect",
    "both_incorrect",
)
ERROR_GROUPS = GROUPS[1:]
NO_GROUP = -1  # of an ad that lacks its text or its photo
Groups: TypeAlias = NDArray[np.int8]  # [n], indices of `GROUPS`, or `NO_GROUP`

# What the thesis draws for its galleries (appendix A.2).
SAMPLE = 20_000  # ads at random
CATEGORIES = 5  # of each group
ADS = 4  # of each category
MOST = 5  # misclassified categories in Table 4.2
PREDICTIONS = 3  # of a classifier, shown with an ad
FIGURES: Mapping[str, str] = dict(zip(ERROR_GROUPS, ("4.3", "4.4", "4.5"), strict=True))
ILLUSTRATING = 3  # ads in each of these figures

WRONG: Mapping[str, Sequence[Modality]] = {  # the classifiers that err in each error group
    "text_correct_image_incorrect": ["image"],
    "image_correct_text_incorrect": ["text"],
    "both_incorrect": ["text", "image"],
}


def assign(correct: Mapping[str, NDArray[np.bool_]], availabilities: Availabilities) -> Groups:
    """The group of each ad, as an index of `GROUPS`; an ad that is not whole has none: [n].

    Args:
      correct: by classifier, whether it is right: [n]. Without whole ads there may be only one.
      availabilities: what the ads have: [n].
    """
    groups = np.full(len(availabilities), NO_GROUP, np.int8)
    whole = availabilities == "both"
    if whole.any():
        groups[whole] = 2 * (~correct["text"][whole]).astype(np.int8) + ~correct["image"][whole]
    return groups


def count(groups: Groups) -> dict[str, int]:
    """How many ads each group has."""
    counts = np.bincount(groups[groups != NO_GROUP], minlength=len(GROUPS))
    return dict(zip(GROUPS, counts.tolist(), strict=True))


def recovered(groups: Groups, correct: NDArray[np.bool_]) -> dict[str, int]:
    """How many ads of each error group a model gets right."""
    return {name: n for name, n in count(groups[correct]).items() if name in ERROR_GROUPS}


def in_words(group: str) -> str:
    """A group's name as the thesis writes it."""
    return group.replace("_correct_", " correct, ").replace("_", " ")


@dataclasses.dataclass(frozen=True, slots=True)
class Misclassified:
    """A category and how many of its ads are misclassified."""

    category: int
    count: int
    total: int  # ads of the category

    def heading(self, names: Sequence[str]) -> str:
        """What stands above its ads in a gallery, by the categories' names."""
        return f"{names[self.category]}: {self.count:,} of {self.total:,} ads drawn"


def most_misclassified(labels: Labels, wrong: NDArray[np.bool_], top: int) -> list[Misclassified]:
    """The categories with the most ads that are wrong, at most `top`; ties: lowest index."""
    totals = np.bincount(labels)
    counts = np.bincount(labels[wrong], minlength=len(totals))
    order = highest(counts, top)
    return [Misclassified(int(c), int(counts[c]), int(totals[c])) for c in order if counts[c]]


@dataclasses.dataclass(frozen=True, slots=True)
class Drawn:
    """Ads of one category that were drawn for a gallery."""

    misclassified: Misclassified  # among the ads sampled
    rows: list[int]  # of the part


def draw(
    groups: Groups,
    labels: Labels,
    seed: int,
    sample: int = SAMPLE,
    categories: int = CATEGORIES,
    ads: int = ADS,
) -> dict[str, list[Drawn]]:
    """Draws the ads that stand for each error group (thesis, appendix A.2).

    Of `sample` ads with a group drawn at random, those of the error group are counted by category;
    from each of the `categories` with the most, `ads` are drawn at random.
    """
    generator = np.random.default_rng(seed)
    sampled = generator.permutation(np.flatnonzero(groups != NO_GROUP))[:sample]
    groups, labels = groups[sampled], labels[sampled]
    drawn: dict[str, list[Drawn]] = {}
    for group in ERROR_GROUPS:
        here = groups == GROUPS.index(group)
        drawn[group] = [
            # the sample's order is random already: its first ads are a random draw
            Drawn(hard, sampled[here & (labels == hard.category)][:ads].tolist())
            for hard in most_misclassified(labels, here, categories)
        ]
    return drawn


def illustrate(
    groups: Groups, group: str, is_near: NDArray[np.bool_], ads: int, seed: int
) -> list[int]:
    """Draws ads that show what an error group is like (thesis, figures 4.3 to 4.5).

    Ads come first whose classifiers nearly had the true category, as `is_near` [n] says.
    """
    here = np.flatnonzero(groups == GROUPS.index(group))
    rows = np.random.default_rng(seed).permutation(here)
    return rows[np.argsort(~is_near[rows], kind="stable")][:ads].tolist()


def first_predictions(probs: Probs, names: Sequence[str]) -> list[tuple[str, float]]:
    """The most probable categories of one ad, as they are shown, best first; ties: lowest index."""
    return [(names[int(c)], float(probs[c])) for c in highest(probs, PREDICTIONS)]


def agreement_table(part: Part, counts: Mapping[str, int]) -> Table:
    """Table 4.1: what the baselines get right, apart and together."""
    both, text_alone, image_alone, neither = (counts[group] for group in GROUPS)
    rows = {
        "image classifier correct": both + image_alone,
        "text classifier correct": both + text_alone,
        in_words(GROUPS[2]): image_alone,
        in_words(GROUPS[1]): text_alone,
        in_words(GROUPS[0]): both,
        in_words(GROUPS[3]): neither,
    }
    total = sum(counts.values())
    return Table(
        f"Table 4.1: where the baselines are right, {part} part",
        [Column("ads where"), Column("ads", "{:,}"), percent("share")],
        [[words, n, n / total if total else None] for words, n in rows.items()],
    )


def misclassified_table(part: Part, groups: Groups, labels: Labels, names: Sequence[str]) -> Table:
    """Table 4.2: by classifier, the categories with the most misclassified ads."""
    labels, groups = labels[groups != NO_GROUP], groups[groups != NO_GROUP]
    erring = {"image": ["image"], "text": ["text"], "both": ["text", "image"]}
    wrong = {name: _misclassified_by(groups, set(those)) for name, those in erring.items()}
    hardest = {name: most_misclassified(labels, ads, MOST) for name, ads in wrong.items()}
    return Table(
        f"Table 4.2: the categories with the most misclassified ads, {part} part",
        [
            *(Column("incorrect"), Column("category"), Column("misclassified", "{:,}")),
            *(Column("category total", "{:,}"), percent("share")),
        ],
        [
            [classifier, names[hard.category], hard.count, hard.total, hard.count / hard.total]
            for classifier, categories in hardest.items()
            for hard in categories
        ],
    )


def _misclassified_by(groups: Groups, classifiers: set[str]) -> NDArray[np.bool_]:
    """Whether all of these classifiers err about an ad: [n]."""
    here = [GROUPS.index(group) for group, wrong in WRONG.items() if classifiers <= set(wrong)]
    return np.isin(groups, here)


def recovered_table(
    title: str, models: Mapping[str, Mapping[str, int]], counts: Mapping[str, int]
) -> Table:
    """Tables 5.2, 5.5 and 5.9: how many ads of each error group every model gets right."""
    columns = [Column("model")]
    for group in ERROR_GROUPS:
        columns += [Column(in_words(group), "{:,}"), percent(f"share of {in_words(group)}")]
    rows = [[model, *_with_shares(ads, counts)] for model, ads in models.items()]
    return Table(title, columns, rows)


def _with_shares(ads: Mapping[str, int], counts: Mapping[str, int]) -> list[Cell]:
    """The count and the share of each error group; no share of an empty group."""
    cells: list[Cell] = []
    for group in ERROR_GROUPS:
        cells += [ads[group], ads[group] / counts[group] if counts[group] else None]
    return cells
