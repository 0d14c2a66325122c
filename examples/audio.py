"""Sounds and classes: spoken digits, from raw samples to a network on mel bands.

The recordings are the Free Spoken Digit Dataset (github.com/Jakobovski/free-spoken-digit-dataset). A folder with its
.wav files by digit is searched by `netwright search FOLDER --task audio`; here they are read from fsdd/fsdd.npz in
$NETWRIGHT_DATA, with all clips end to end and their offsets. Without it, tones are made up.

python examples/audio.py [TIME]
"""

import os
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np

import netwright as nw

file = Path(os.environ.get("NETWRIGHT_DATA", ".")) / "fsdd" / "fsdd.npz"
if file.exists():
    with np.load(file) as arrays:
        sound, offsets, y, test = (arrays[name] for name in ("audio", "offsets", "label", "is_test"))
    clips = [sound[start:end] for start, end in pairwise(offsets)]
else:
    print(f"{file} is not there: tones are made up")
    rng = np.random.default_rng(0)
    y = np.arange(120) % 3
    time = np.arange(3000) / 8000
    clips = [
        np.sin(2 * np.pi * (300 + 400 * tone) * time[:length]) + rng.normal(size=length)
        for tone, length in zip(y, 2000 + 200 * (np.arange(120) % 5), strict=True)
    ]
    test = np.arange(120) % 4 == 0

train = np.flatnonzero(~test)
X_test, y_test = [clips[row] for row in np.flatnonzero(test)], y[test]
search = nw.AudioClassifier(rate=8000, time_limit=sys.argv[1] if len(sys.argv) > 1 else "60s")
search.fit([clips[row] for row in train], y[train], eval_set=(X_test, y_test))

print(search.study_.text_of_verdict)
print(f"{search.study_.winner.params:,} parameters")
print("accuracy on the test part:", round(search.score(X_test, y_test), 4))
