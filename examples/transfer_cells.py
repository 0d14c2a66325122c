"""A cell searched small and deployed large, as NASNet does: from digits to clothes, and to digits in random colours.

The cell is searched in a small network on scikit-learn's digits, then trained in one of more cells and twice the
channels on other pictures: Fashion-MNIST (Debian's package dataset-fashion-mnist, or its IDX files in
$NETWRIGHT_DATA/fashion-mnist; left out where neither is there) and digits in random bright colours on darker textured
squares of 32×32 pixels, which are made here. Beside it are a cell searched on these pictures themselves, and one at
random. With the word quick it is over in a moment, and shows that it runs.

python examples/transfer_cells.py [quick]
"""

import sys

import numpy as np

import netwright as nw
from netwright.training import Recipe, fit, split
from netwright.zoo.digits_cells import DigitsCells

QUICK = sys.argv[1:] in (["quick"], ["--quick"])
TRIALS, EPOCHS, ROWS, FINAL = (3, 1, 300, 1) if QUICK else (24, 6, 2000, 15)
LARGE = {"cells": 1, "channels": 8} if QUICK else {"cells": 2, "channels": 16}
# Of so few pictures an epoch of larger batches is ten steps, and fifteen epochs are over before anything is learnt.
RECIPE = Recipe.images(flip=False, batch_size=32, lr=0.05)


def coloured(images, rng):
    """Digits (N, 1, 8, 8) of 0 to 1, four times as large, in a colour each on a texture of two others: 3×32×32."""
    masks = np.kron(images, np.ones((1, 1, 4, 4)))
    waves = rng.uniform(0.2, 1.2, (len(images), 2, 1, 1))
    y, x = np.mgrid[:32, :32]
    texture = 0.5 + 0.5 * np.sin(waves[:, :1] * x + waves[:, 1:] * y)
    ink = rng.uniform(0.5, 1, (len(images), 3, 1, 1))
    low, high = rng.uniform(0, 0.6, (2, len(images), 3, 1, 1))
    return (masks * ink + (1 - masks) * (low + texture * (high - low))).astype(np.float32)


def search(X, y, seed=0):
    """The best cell for these pictures, found in a small network."""
    space = nw.SearchSpace(DigitsCells, input_shape=X.shape[1:], classes=10)
    data = nw.training.Data(X, y, classes=tuple(range(10)))
    train = nw.evaluators.Train(data, RECIPE, split=split(y, seed=seed), epochs=EPOCHS)
    study = nw.Study(space, nw.strategies.Auto(), train, maximize="val_accuracy", seed=seed)
    study.run(max_trials=TRIALS)
    return space, study.best.architecture


def score(space, cell, X, y, X_test, y_test):
    """The accuracy of a larger network of this cell, with an auxiliary head and dropped paths while it trains."""
    network = space.scale(cell, input_shape=X.shape[1:], **LARGE)
    fit(network, X, y, RECIPE.replace(epochs=FINAL, drop_path=0.1, auxiliary=0.4), seed=0)
    answers = nw.training.predict(network, X_test).argmax(1)
    return (answers == y_test).mean(), sum(each.numel() for each in network.parameters())


digits = nw.tasks.read("digits").data
X, y = np.asarray(digits.X), np.asarray(digits.y)
space, cell = search(X, y)
print("searched on digits:", dict(cell))

rng = np.random.default_rng(0)
pixels = (X - X.min()) / (X.max() - X.min())
order = rng.permutation(len(X))
pictures = {"coloured digits": (coloured(pixels[order], rng), y[order])}
try:
    clothes = nw.tasks.read("fashion-mnist").data
    few = rng.permutation(len(clothes))[: ROWS + 1000]
    pictures["Fashion-MNIST"] = (np.asarray(clothes.X[few]), np.asarray(clothes.y[few]))
except nw.errors.NetwrightError as error:
    print("Fashion-MNIST is left out:", str(error).splitlines()[0])

for name, (X, y) in pictures.items():
    count = min(ROWS, 3 * len(X) // 4)
    train, test = (X[:count], y[:count]), (X[count:], y[count:])
    cells = {"transferred": cell, "searched directly": search(*train)[1], "at random": space.sample(rng)}
    for kind, each in cells.items():
        accuracy, params = score(space, each, *train, *test)
        print(f"{name}: the cell {kind} has {accuracy:.1%} with {params:,} parameters")
