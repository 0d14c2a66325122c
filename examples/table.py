"""A table from a CSV file: numbers, a category and missing values, to labels as they stand in the file.

python examples/table.py [TRIALS]
"""

import csv
import sys
import tempfile
from pathlib import Path

from sklearn.datasets import load_wine

import netwright as nw

wine = load_wine()
folder = Path(tempfile.mkdtemp())
with (folder / "wine.csv").open("w", newline="") as file:
    writer = csv.writer(file)
    writer.writerow(["alcohol", "acid", "hue", "strength", "grower"])
    for row, grower in zip(wine.data, wine.target, strict=True):
        hue = "" if row[10] > 1.2 else row[10]  # a missing value is an empty cell
        writer.writerow([row[0], row[1], hue, "strong" if row[0] > 13 else "light", wine.target_names[grower]])

trials = int(sys.argv[1]) if len(sys.argv) > 1 else 20
outcome = nw.tasks.search(folder / "wine.csv", target="grower", max_trials=trials, out=folder / "run")
print(outcome.text())

(folder / "new.csv").write_text("strength,hue,acid,alcohol\nstrong,1.04,1.7,14.2\nlight,,2.0,12.1\n")
print(nw.tasks.predict(folder / "run", folder / "new.csv")["predictions"])
