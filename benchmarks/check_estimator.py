"""scikit-learn's own checks, all of them, on the estimators of arrays.

python benchmarks/check_estimator.py [--only TabularClassifier]

Each check fits several searches, so it takes a quarter of an hour; the ones that are quick are tests.
"""

from __future__ import annotations

import argparse
import time
import warnings

from sklearn.utils.estimator_checks import estimator_checks_generator

import netwright as nw

EXPECTED = {
    "check_sample_weight_equivalence_on_dense_data": "a split of the rows depends on how many there are",
}
"""Checks that a search which splits its rows at random cannot pass, and why."""
ESTIMATORS = ("TabularClassifier", "TabularRegressor")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=ESTIMATORS)
    arguments = parser.parse_args()
    for name in [arguments.only] if arguments.only else ESTIMATORS:
        began, passed = time.monotonic(), 0
        for each, check in estimator_checks_generator(getattr(nw, name)(max_trials=1, n_jobs=1, strategy="random")):
            called = getattr(check, "func", check).__name__
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    check(each)
                passed += 1
            except Exception as error:
                if type(error).__name__ != "SkipTest":
                    why = EXPECTED.get(called)
                    said = " ".join(str(error).split())[:160]
                    print(f"{name} {called}: {f'expected, {why}' if why else said}", flush=True)
        print(f"{name}: {passed} checks passed in {time.monotonic() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
