"""Time series and classes: is a hand drawing a gun, or pointing? GunPoint, 50 series to learn from and 150 to judge on.

The set comes with the package aeon (pip install aeon; aeon.datasets.load_gunpoint()); saved as GunPoint.npz with
X_train, y_train, X_test, y_test in the folder $NETWRIGHT_DATA/time_series it is taken from there. Without it, waves of
two shapes are made up.

python examples/series_classification.py [TIME]
"""

import os
import sys
from pathlib import Path

import numpy as np

import netwright as nw

file = Path(os.environ.get("NETWRIGHT_DATA", ".")) / "time_series" / "GunPoint.npz"
if file.exists():
    with np.load(file) as arrays:
        X, y, X_test, y_test = (arrays[name] for name in ("X_train", "y_train", "X_test", "y_test"))
else:
    print(f"{file} is not there: waves are made up")
    rng = np.random.default_rng(0)
    y = np.arange(160) % 2
    phase = np.linspace(0, 12, 100) + rng.uniform(0, 6, (160, 1))
    X = np.where(y[:, None], np.sin(phase), np.sign(np.sin(phase))) + 0.3 * rng.normal(size=(160, 100))
    X, X_test, y, y_test = X[:80], X[80:], y[:80], y[80:]

search = nw.TimeSeriesClassifier(time_limit=sys.argv[1] if len(sys.argv) > 1 else "60s")
search.fit(X, y, eval_set=(X_test, y_test))

print(search.study_.text_of_verdict)
print(search.best_.architecture)
print("accuracy on the test part:", round(search.score(X_test, y_test), 4))
