"""A data frame with dates, many categories and texts: searched for the area under the curve, with balanced classes.

python examples/tables.py [TRIALS]
"""

import sys

import numpy as np
import pandas
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split

import netwright as nw

# Larger tables: https://archive.ics.uci.edu/dataset/2 (adult) and 94 (spambase), read by pandas.read_csv.
bunch = load_breast_cancer(as_frame=True)
rng = np.random.default_rng(0)
frame = bunch.data.iloc[:, :10].rename(columns=str).mask(rng.random((569, 10)) < 0.05)  # cells that are missing
frame["taken"] = pandas.Timestamp("2024-01-01") + pandas.to_timedelta(rng.integers(0, 500, 569), unit="D")
frame["clinic"] = [f"clinic {number}" for number in rng.integers(0, 60, 569)]
frame["report"] = [
    f"sample {n} is {'large' if area > 700 else 'small'}" for n, area in enumerate(bunch.data["mean area"])
]
y = np.asarray(bunch.target_names)[bunch.target]

X, X_test, y, y_test = train_test_split(frame, y, test_size=0.25, random_state=0, stratify=y)
search = nw.TabularClassifier(
    max_trials=int(sys.argv[1]) if len(sys.argv) > 1 else 20,
    metric="roc_auc",
    class_weight="balanced",
    callbacks=[lambda study, trial: print(f"trial {trial.number}: {trial.metrics.get('val_roc_auc', 0):.4f}")],
)
search.fit(X, y, eval_set=(X_test, y_test))
print(search.study_.text())

new = X_test.head(3).assign(clinic="a clinic that was never seen")
print(search.predict(new), search.predict_proba(new).round(3).tolist())
