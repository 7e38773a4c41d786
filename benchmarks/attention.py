"""What the attention step costs in training: photos per second of c-wh against Inception v3 alone.

Both train all layers of the same network with its auxiliary head on the same photos, in turn.
Give the photos' side in pixels as the first argument (139 by default).
"""

import statistics
import sys
import time

import numpy as np

from adcat.attention.attention_model import build
from adcat.attention.config import AttentionConfig
from adcat.attention.fine_tuning import training_network as attention_network
from adcat.image import classifier, inception
from adcat.image.backbones import BACKBONES
from adcat.image.stages import training_network as image_network
from adcat.learning.runtime import seeded_tensorflow
from adcat.learning.schedule import TrainingOptions
from adcat.learning.training_loop import learning_step, make_optimizer

CATEGORIES, TEXT, BATCH = 193, 100, 32
STEPS, ROUNDS = 4, 5
SCHEDULE = TrainingOptions(batch_size=BATCH).following({}).schedule(BATCH)


def main(side: int) -> None:
    """Prints the table."""
    seeded_tensorflow(0)
    random = np.random.default_rng(0)
    images = random.uniform(-1, 1, (BATCH, side, side, 3)).astype(np.float32)
    text = random.normal(size=(BATCH, TEXT)).astype(np.float32)
    labels = random.integers(0, CATEGORIES, BATCH)

    image = classifier.build(BACKBONES["inception-v3"], side, CATEGORIES, None)
    auxiliary = inception.auxiliary_head(image.network, CATEGORIES)
    model = build(image, text, AttentionConfig())
    inputs = {"image": (images,), "attend-c-wh": (images, text)}
    networks = {
        "image": image_network(image, auxiliary),
        "attend-c-wh": attention_network(model, "c", auxiliary),
    }
    steps = {}
    for name, network in networks.items():
        optimizer = make_optimizer(SCHEDULE)
        optimizer.build(network.trainable_variables)
        steps[name] = learning_step(network, optimizer)
        steps[name](inputs[name], labels)  # compiles

    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(ROUNDS):
        for name, step in steps.items():
            started = time.perf_counter()
            for _ in range(STEPS):
                loss, _ = step(inputs[name], labels)
            float(loss)
            seconds[name].append(time.perf_counter() - started)
    rates = {name: STEPS * BATCH / statistics.median(times) for name, times in seconds.items()}
    print(f"training all layers at {side} pixels, batches of {BATCH}")
    for name, rate in rates.items():
        print(f"{name:12} {rate:6.1f} photos/s")
    pairs = zip(seconds["attend-c-wh"], seconds["image"], strict=True)
    cost = statistics.median(mine / plain for mine, plain in pairs) - 1
    print(f"the attention step costs {cost:+.1%} (at most 10 %)")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 139)
