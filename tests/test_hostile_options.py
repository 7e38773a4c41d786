"""Options that are nonsense, out of bounds or contradict each other."""

import pytest
from handmade import certain, make_features, make_split
from hostile import ADS, artifacts, delimited, draw_photos, refusal, run

from adcat.workspace.layout import Workspace

LABELS = {"train": [0, 1, 0, 1], "validation": [0, 1, 0, 1, 0, 1], "test": [0, 1, 1]}

USAGE = [  # exit 2, and what stands behind `Error: `
    (["nonsense"], "No such command 'nonsense'."),
    (["split"], "Missing argument 'ADS'."),
    (["split", "a.csv", "b.csv"], "Got unexpected extra argument(s) (b.csv)"),
    (["split", "a.csv", "--nonsense"], "No such option: --nonsense (Possible options: --seed)"),
    (["split", "a.csv", "--seed"], "Option '--seed' requires an argument."),
    (["split", "nul\0.csv"], "Invalid value for 'ADS': Value error, embedded null byte"),
    (["split", "a.csv", "--test", "0"], "Invalid value for '--test': Input should be greater than or equal to 0.0001"),
    (["split", "a.csv", "--test", "1"], "Invalid value for '--test': Input should be less than or equal to 0.9999"),
    (["split", "a.csv", "--test", "half"], "Invalid value for '--test': Input should be a valid number, unable to parse string as a number"),
    (["split", "a.csv", "--validation", "nan"], "Invalid value for '--validation': Input should be less than or equal to 0.9999"),
    (["split", "a.csv", "--min-ads", "0"], "Invalid value for '--min-ads': Input should be greater than or equal to 1"),
    (["split", "a.csv", "--min-ads", "1.5"], "Invalid value for '--min-ads': Input should be a valid integer, unable to parse string as an integer"),
    (["split", "a.csv", "--seed", "-1"], "Invalid value for '--seed': Input should be greater than or equal to 0"),
    (["split", "a.csv", "--seed", "9" * 30], "Invalid value for '--seed': Input should be less than or equal to 2147483647"),
    (["split", "a.csv", "--duplicates", "maybe"], "Invalid value for '--duplicates': Value error, 'maybe' is not one of 'together', 'ignore', 'drop'."),
    (["split", "a.csv", "--preset", "mine"], "Invalid value for '--preset': Value error, 'mine' is not one of 'thesis'."),
    (["train-text", "--model", "gpt"], "Invalid value for '--model': Value error, 'gpt' is not one of 'fasttext', 'tfidf', 'cnn'."),
    (["train-text", "--augment-noise", "1.5"], "Invalid value for '--augment-noise': Input should be less than or equal to 1"),
    (["train-text", "--learning-rate", "inf"], "Invalid value for '--learning-rate': inf is not a finite number"),
    (["train-text", "--dim", "0"], "Invalid value for '--dim': Input should be greater than or equal to 1"),
    (["train-text", "--model", "tfidf", "--cnn-dim", "9"], "--cnn-dim is an option of --model cnn, not of tfidf\n--model tfidf reads --model, --augment-noise, --analyzer, --tfidf-c, --tfidf-min-df, --tfidf-max-features, --tfidf-components, --tune, --tune-algorithm, --jobs, --spark, --tune-fraction, --name, --folds, --fields, --text-cleaning, --seed"),
    (["train-text", "--jobs", "2"], "--jobs has no effect without --tune"),
    (["fuse", "--policy", "nn", "--spark", "local"], "--spark has no effect without --tune"),
    (["fuse", "--policy", "nn", "--tune", "2", "--jobs", "2", "--spark", "local"], "--jobs has no effect with --spark"),
    (["fuse", "--policy", "stack", "--jobs", "2"], "--jobs is an option of --policy nn, nn-validation, image-boost, image-boost-prop, temperature, top3, image-only, text-only, concat, pool, pool-aux, not of stack\n--policy stack reads --policy, --name, --regularisation, --seed, --models, --folds"),
    (["predict", "ads.csv", "--spark", "local"], "--spark has no effect without --output"),
    (["extract-features", "--merge", "--spark", "local"], "--spark has no effect with --image-vectors or --text-vectors or --merge or --shard"),
    (["train-text", "--preset", "thesis", "--tfidf-c", "2"], "--tfidf-c is an option of --model tfidf, not of fasttext\n--model fasttext reads --model, --augment-noise, --learning-rate, --epochs, --dim, --minn, --maxn, --word-ngrams, --bucket, --min-count, --min-count-label, --loss, --threads, --lr-update-rate, --pretrained-vectors, --ws, --neg, --t, --tune, --tune-algorithm, --jobs, --spark, --tune-fraction, --name, --folds, --fields, --text-cleaning, --seed"),
    (["extract-features", "--seed", "1"], "--seed has no effect without --image-vectors or --text-vectors"),
    (["train-image", "--stage", "half"], "Invalid value for '--stage': Value error, 'half' is not one of 'head', 'all'."),
    (["train-image", "--image-size", "31"], "Invalid value for '--image-size': Input should be greater than or equal to 32"),
    (["train-image", "--learning-rate", "nan"], "Invalid value for '--learning-rate': Input should be greater than or equal to 0"),
    (["extract-features", "--batch-size", "0"], "Invalid value for '--batch-size': Input should be greater than or equal to 1"),
    (["fuse", "--policy", "nonsense"], "Invalid value for '--policy': Value error, 'nonsense' is not one of 'max', 'sum-max', 'product-max', 'product-prior', 'log-linear', 'weighted-sum', 'choice', 'stack', 'linear', 'cdpf', 'nn', 'nn-validation', 'image-boost', 'image-boost-prop', 'temperature', 'top3', 'image-only', 'text-only', 'concat', 'pool', 'pool-aux'."),
    (["fuse", "--regularisation", "inf"], "Invalid value for '--regularisation': inf is not a finite number"),
    (["fuse", "--fraction", "0"], "Invalid value for '--fraction': Input should be greater than or equal to 0.001"),
    (["fuse", "--seed", "-1"], "Invalid value for '--seed': Input should be greater than or equal to 0"),
    (["evaluate", "--part", "all"], "Invalid value for '--part': Value error, 'all' is not one of 'train', 'validation', 'test'."),
    (["error-groups", "--ads", "21"], "Invalid value for '--ads': Input should be less than or equal to 20"),
    (["similar", "--k", "0"], "Invalid value for '--k': Input should be greater than or equal to 1"),
    (["similar", "--among", "both"], "Invalid value for '--among': Value error, 'both' is not one of 'all', 'train', 'validation', 'test'."),
    (["similar", "--title", "x", "--part", "train"], "--part has no effect with --title or --description or --image"),
    (["similar", "--finer-column", "deep"], "--finer-column has no effect without --finer"),
    (["predict", "--top", "0"], "Invalid value for '--top': Input should be greater than or equal to 1"),
    (["predict", "--coverage", "1"], "Invalid value for '--coverage': Input should be less than or equal to 0.9999"),
    (["predict", "--accept-above", "-0.1"], "Invalid value for '--accept-above': Input should be greater than or equal to 0"),
    (["export"], "Missing argument 'FOLDER'."),
]  # fmt: skip

REFUSED = [  # exit 1, and the whole message
    (["split", "{folder}/ads.csv", "--column", "title"], "--column title: expected COLUMN=HEADER, once for a column, with COLUMN one of id, title, description, category, image"),
    (["split", "{folder}/ads.csv", "--column", "colour=x"], "--column colour=x: expected COLUMN=HEADER, once for a column, with COLUMN one of id, title, description, category, image"),
    (["split", "{folder}/ads.csv", "--column", "title=a", "--column", "title=b"], "--column title=b: expected COLUMN=HEADER, once for a column, with COLUMN one of id, title, description, category, image"),
    (["split", "{folder}/ads.csv", "--column", "title=\x1b[31m"], "{folder}/ads.csv has no column '\\x1b[31m'; found: 'id', 'title', 'description', 'category', 'image'\nname the column to read: --column title=HEADER"),
    (["split", "{folder}/ads.csv", "--images", "{folder}/nowhere"], "{folder}/nowhere is not a folder; name the images folder: --images DIR"),
    (["split", "{folder}/ads.csv", "--images", "{folder}/0.png"], "{folder}/0.png is not a folder; name the images folder: --images DIR"),
    (["split", "{folder}/ads.csv", "--min-ads", "9"], "{folder}/ads.csv leaves no ads; expected at least two categories\nrejected: 10 category with too few ads\nrow 1: category with too few ads 'Möbler'; all of them: {root}/rejected.csv"),
    (["split", "{folder}/ads.csv", "--min-ads", "9" * 30], "{folder}/ads.csv leaves no ads; expected at least two categories\nrejected: 10 category with too few ads\nrow 1: category with too few ads 'Möbler'; all of them: {root}/rejected.csv"),
    (["split", "{folder}/ads.csv", "--exact", "--test", "0.0001"], "the test part would have no ad: 10 ads, in 10 groups of duplicates, are too few for --test 0.0001 and --validation 0.1"),
    (["split", "a" * 5000 + ".csv"], "a" * 5000 + ".csv: File name too long"),
    (["train-text", "--model", "cnn", "--cnn-widths", "3,x"], "--cnn-widths '3,x': expected numbers from 1 to 100 such as 3,4,5"),
    (["train-text", "--minn", "5", "--maxn", "3"], "--minn 5 is above --maxn 3; for no n-grams: --maxn 0"),
    (["train-text", "--pretrained-vectors", "{folder}/nowhere.vec"], "{folder}/nowhere.vec: No such file or directory"),
    (["train-text", "--pretrained-vectors", "{folder}/ads.csv"], "{folder}/ads.csv, line 1: expected the number of words and the vectors' length"),
    (["fuse", "--name", "../x"], "'../x' is not a valid model name; use lower-case letters, digits and '-', but not text, image or attend-…"),
    (["fuse", "--name", "attend-c-wh"], "'attend-c-wh' is not a valid model name; use lower-case letters, digits and '-', but not text, image or attend-…"),
    (["fuse", "--name", "text"], "'text' is not a valid model name; use lower-case letters, digits and '-', but not text, image or attend-…"),
    (["fuse", "--policy", "nn", "--policy-share", "0.5"], "--policy-share is read with --fit-on validation only; add that"),
    (["evaluate", "nonsense"], "there is no model 'nonsense' in {root}; available: text, image"),
    (["evaluate", "\x1b[31m"], "there is no model '\\x1b[31m' in {root}; available: text, image"),
    (["evaluate", "text", "--part", "train", "image", "max"], "there is no model 'max' in {root}; available: text, image"),
    (["similar", "--by", "nonsense"], "there is no model 'nonsense' in {root}; available: text, image"),
    (["similar"], "text, image: no vectors of the train, validation, test ads; late fusion makes none, attend none of training ads (choose --among test), and what an older adcat made has to be made again"),
    (["predict", "--model", "nn", "--title", "x"], "there is no model 'nn' in {root}; available: text, image"),
    (["predict", "{folder}/ads.csv", "--title", "x"], "give a table or a single ad: ADS, or --title, --description, --image"),
    (["predict", "--title", "x", "--shard", "1/2"], "--shard 1/2 needs a table; give ADS"),
    (["predict", "{folder}/ads.csv", "--shard", "3/2"], "--shard 3/2: expected a share such as 2/8, from 1/8 to 8/8"),
    (["predict", "{folder}/ads.csv", "--shard", "²/3"], "--shard ²/3: expected a share such as 2/8, from 1/8 to 8/8"),
    (["predict", "{folder}/ads.csv", "--images", "{folder}/nowhere"], "{folder}/nowhere is not a folder; name the images folder: --images DIR"),
    (["predict", "--exported", "{folder}", "--title", "x"], "{folder}/serving.json is missing; expected a folder that adcat export has written"),
    (["predict", "{folder}/ads.csv", "--output", "{folder}/a.xls"], "--output {folder}/a.xls: expected a file in one of .jsonl, .csv, .parquet"),
    (["predict", "{folder}/ads.csv", "--output", "{folder}/nowhere/a.csv"], "--output {folder}/nowhere/a.csv: the folder {folder}/nowhere does not exist"),
    (["predict", "{folder}/nowhere.csv"], "{folder}/nowhere.csv does not exist; expected a table of ads"),
    (["export", "{folder}"], "{folder} already exists; name another folder"),
]  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = draw_photos(tmp_path_factory.mktemp("options") / "data")
    (folder / "ads.csv").write_text(delimited(ADS), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def made(folder):
    """A workspace with ads and features; nothing here changes it."""
    workspace = Workspace(folder.parent / "w")
    make_split(workspace, ["Cyklar", "Möbler"], LABELS)
    found = {
        part: dict.fromkeys(("text", "image"), certain(labels, 2))
        for part, labels in LABELS.items()
    }
    make_features(workspace, found)
    return workspace


def readable(words):
    return " ".join(words)[:60].replace("{folder}", "").replace("\0", "NUL").replace("\x1b", "ESC")


@pytest.mark.parametrize(("words", "message"), USAGE, ids=[readable(words) for words, _ in USAGE])
def test_wrong_usage_exits_with_2_and_says_what_is_allowed(tmp_path, words, message):
    found = run(tmp_path / "w", *words)
    assert (found.exit_code, found.stdout) == (2, "")
    said = found.stderr.partition("Error: ")[2].strip()
    assert said == message
    assert not (tmp_path / "w").exists()


@pytest.mark.parametrize(
    ("words", "message"), REFUSED, ids=[readable(words) for words, _ in REFUSED]
)
def test_what_cannot_be_done_is_refused_and_changes_nothing(folder, made, words, message):
    before = artifacts(made.root)
    found = refusal(run(made.root, *(word.format(folder=folder) for word in words)))
    assert found == message.format(folder=folder, root=made.root)
    (made.root / "rejected.csv").unlink(missing_ok=True)  # says why no row is left
    assert artifacts(made.root) == before
