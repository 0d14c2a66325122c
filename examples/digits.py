"""Digits in three lines: from arrays to a network, judged on data that the search never saw.

python examples/digits.py [TIME]
"""

import sys

from sklearn.datasets import load_digits

import netwright as nw

X, y = load_digits(return_X_y=True)
search = nw.NeuralArchitectureSearch(time_limit=sys.argv[1] if len(sys.argv) > 1 else "60s")
search.fit(X.reshape(-1, 8, 8), y)

print(search.study_.text_of_verdict)
print(search.best_.architecture)
print(search.predict(X[:10].reshape(-1, 8, 8)), y[:10])
