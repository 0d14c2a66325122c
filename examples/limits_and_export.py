"""A limit, a second objective, and the network as a file that runs without Netwright.

What breaks the limit is never trained. The program is compared with the network before it is written.

python examples/limits_and_export.py [TIME]
"""

import sys
from pathlib import Path

import torch
from sklearn.datasets import load_digits

import netwright as nw

X, y = load_digits(return_X_y=True)
X = X.reshape(-1, 8, 8)
search = nw.ImageClassifier(
    time_limit=sys.argv[1] if len(sys.argv) > 1 else "60s",
    constraints={"params": 5000},
    objectives={"macs": "minimize"},
).fit(X, y)

for trial in search.pareto_:
    print(
        f"{trial['metrics']['val_accuracy']:.4f} at {trial['macs']:,} multiplications, {trial['params']:,} parameters"
    )

path = search.export(Path("digits.pt2"))
program = torch.export.load(path).module()
outputs = program(torch.zeros(3, 1, 8, 8))  # any number of images at once
print(f"{path}: {path.stat().st_size:,} bytes; three images give outputs of shape {tuple(outputs.shape)}")
print("accuracy on all, seen and unseen:", search.score(X, y))
