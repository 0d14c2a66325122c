"""Several inputs and several targets at once: a picture, a row of a table and a note give a class and a number.

The digits of scikit-learn are the pictures; which quarters hold ink is the table, and the note is made here. Other data
of yours go in the same way: each input is a frame, an array or a list of texts with one row an example.

python examples/multimodal.py [TIME_LIMIT]
"""

import sys

import numpy as np
import pandas
from sklearn.datasets import load_digits

import netwright as nw

digits = load_digits()
ink = digits.images.sum((1, 2))
quarters = {f"quarter{k}": digits.images[:, 4 * (k // 2) :, 4 * (k % 2) :][:, :4, :4].sum((1, 2)) for k in range(4)}
notes = [f"a {'thick' if amount > np.median(ink) else 'thin'} figure" for amount in ink]
X = {"picture": digits.images, "quarters": pandas.DataFrame(quarters), "note": notes}
y = {"digit": digits.target, "ink": ink}

first, last = np.split(np.random.default_rng(0).permutation(len(ink)), [1500])


def rows(values, chosen):
    return [values[place] for place in chosen] if isinstance(values, list) else np.asarray(values)[chosen]


def part(values, chosen):
    return {name: each.iloc[chosen] if hasattr(each, "iloc") else rows(each, chosen) for name, each in values.items()}


search = nw.MultiModal(time_limit=sys.argv[1] if len(sys.argv) > 1 else "60s")
search.fit(part(X, first), part(y, first))
print(search.study_.text())

told = search.predict(part(X, last))
print(f"of {len(last)} new examples {np.mean(told['digit'] == digits.target[last]):.1%} have the right digit,")
error = np.abs(told["ink"] - ink[last]).mean()
print(f"and the ink is told with an error of {error:.1f} (its deviation is {ink.std():.1f})")
