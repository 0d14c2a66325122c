"""A language model: the recurrent cell of Zoph and Le, searched on a text of your own, and what it writes.

Any text in UTF-8 will do. Here one is written on the spot, so that the example needs no file. A corpus of a megabyte is
better, such as the plays of Shakespeare (tinyshakespeare: karpathy/char-rnn on GitHub, data/tinyshakespeare/input.txt):
python examples/language_model.py 10m input.txt

python examples/language_model.py [TIME_LIMIT]
"""

import sys
from pathlib import Path

import numpy as np

import netwright as nw

limit = sys.argv[1] if len(sys.argv) > 1 else "5m"
if len(sys.argv) > 2:
    text = Path(sys.argv[2]).read_text()
else:
    rng = np.random.default_rng(0)
    who, what = ["the king", "a fool", "the queen", "my lord"], ["speaks", "is silent", "knows it", "laughs"]
    lines = [f"{who[a]} {what[b]}, and {who[c]} {what[d]}.\n" for a, b, c, d in rng.integers(4, size=(1500, 4))]
    text = "".join(lines)

model = nw.LanguageModel(strategy="reinforce", space="zoph-rnn", window=32, time_limit=limit).fit(text)
print(model.study_.text())
print(f"perplexity {model.perplexity(text[-2000:]):.2f} of {len(model.tokens_)} characters")
print(model.generate(text[:20], 80, temperature=0.5))
