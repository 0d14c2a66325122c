"""What a learning curve will reach, from its beginning.

Here a curve is a row of values, one a step, and what is learnt is the value after the last of ``steps``. The contract
is that of predictors with curves in the place of architectures: ``fit(curves, finals)``, then ``predict(curves)`` gives
mean and standard deviation in the unit of the final value.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from netwright.arguments import positive, share, whole
from netwright.errors import InputError
from netwright.predictors.calibration import Calibration, calibrated, folds
from netwright.predictors.importing import imported

Floats = NDArray[np.float64]

NEGLIGIBLE = 0.05
"""Families of less weight are not drawn again."""

LARGEST = 1e100
"""No value is beyond this: sums of squares are taken."""


class CurvePredictor(ABC):
    """Predicts the final values of curves. The classes below this one are final."""

    def __init__(self) -> None:
        self._fitted = False

    def fit(self, curves: Sequence[ArrayLike], finals: ArrayLike) -> CurvePredictor:
        """Learns from curves whose final values are known; gives itself back."""
        rows, values = _checked(curves, type(self).__name__), _numbers(finals)
        if values is None or values.shape != (len(rows),) or not len(rows) or not np.isfinite(values).all():
            found = "values that are no numbers" if values is None else f"values of shape {values.shape}"
            raise InputError(
                f"{type(self).__name__}: every curve has one finite final value, found {len(rows)} curves and {found}"
            )
        if np.abs(values).max() > LARGEST:
            raise InputError(f"{type(self).__name__}: a final value goes beyond {LARGEST:g}")
        self._fit(rows, values)
        self._fitted = True
        return self

    def predict(self, curves: Sequence[ArrayLike]) -> tuple[Floats, Floats]:
        """The expected final value of each curve, and its standard deviation."""
        if not self._fitted:
            raise InputError(
                f"{type(self).__name__} was asked to predict before it was fitted",
                hint="Call fit with curves whose final values are known.",
            )
        rows = _checked(curves, type(self).__name__)
        return self._predict(rows) if rows else (np.empty(0), np.empty(0))

    @abstractmethod
    def _fit(self, curves: Sequence[Floats], finals: Floats) -> None:
        """Learns; everything is checked, and there is a curve."""

    @abstractmethod
    def _predict(self, curves: Sequence[Floats]) -> tuple[Floats, Floats]:
        """Mean and spread of each curve; there is one."""


@final
class LastValue(CurvePredictor):
    """The last value of the curve, and the root of the mean square by which finals were off it. Hard to beat."""

    def _fit(self, curves: Sequence[Floats], finals: Floats) -> None:
        self._spread = _root_mean_square(finals - np.array([curve[-1] for curve in curves]))

    def _predict(self, curves: Sequence[Floats]) -> tuple[Floats, Floats]:
        return np.array([curve[-1] for curve in curves]), np.full(len(curves), self._spread)


@final
class SumOfTrainingLosses(CurvePredictor):
    """The sum of the training losses, of the last ``window`` steps or of all (Ru et al. 2021, SoTL and SoTL-E).

    The curves are *training losses*, of any one length; the smaller the sum, the better the final score. Only the order
    comes from the sum (:meth:`ranking`, which needs no fit); scores are put on it by a straight line through those that
    are known.
    """

    def __init__(self, window: int | None = 1) -> None:
        super().__init__()
        if window is not None and (not isinstance(window, int) or isinstance(window, bool) or window < 1):
            raise InputError(
                f"SumOfTrainingLosses: window is a whole number of steps, at least 1, or None, found {window!r}"
            )
        self.window = window

    def ranking(self, curves: Sequence[ArrayLike]) -> Floats:
        """Minus the sum for each curve: larger is better."""
        rows = _checked(curves, type(self).__name__)
        return np.array([-float(curve[-(self.window or len(curve)) :].sum()) for curve in rows])

    def _fit(self, curves: Sequence[Floats], finals: Floats) -> None:
        sums = self.ranking(curves)
        self._center, self._level = float(sums.mean()), float(finals.mean())
        away = sums - self._center
        square = float(away @ away)
        self._slope = float(away @ finals) / square if square > 0 else 0.0
        left = finals - self._level - self._slope * away
        self._spread = float(np.sqrt((left @ left) / max(len(left) - 2, 1)))

    def _predict(self, curves: Sequence[Floats]) -> tuple[Floats, Floats]:
        sums = self.ranking(curves)
        return self._level + self._slope * (sums - self._center), np.full(len(sums), self._spread)


@final
class CurveRegression(CurvePredictor):
    """ν-support-vector regression on the curve, its first and its second differences (Baker et al. 2017, LcSVR).

    All curves have the length of those it was fitted to, at least 3. The spread is the root mean square of the errors
    of a five-fold cross-validation; of several penalties the one with the least such error is taken.
    """

    def __init__(self, *, penalties: Sequence[float] = (1.0, 10.0, 100.0), nu: float = 0.5, seed: int = 0) -> None:
        super().__init__()
        self.penalties = tuple(penalties)
        if not self.penalties:
            raise InputError("CurveRegression: penalties are one or more numbers above 0, found none")
        for penalty in self.penalties:
            positive("CurveRegression", penalty=penalty)
        positive("CurveRegression", nu=nu)
        share("CurveRegression", nu=nu)
        whole("CurveRegression", 0, seed=seed)
        self.nu = nu
        self.seed = seed

    def _fit(self, curves: Sequence[Floats], finals: Floats) -> None:
        lengths = sorted({len(curve) for curve in curves})
        if len(lengths) > 1:
            raise InputError(
                f"CurveRegression learns from curves of one length, found {', '.join(map(str, lengths))} steps",
                hint="Cut all curves to the same length.",
            )
        self._length = lengths[0]
        if self._length < 3 or len(curves) < 5:
            raise InputError(
                f"CurveRegression learns from at least 5 curves of at least 3 steps, found {len(curves)} of "
                f"{self._length}"
            )
        features = self._features(curves)
        self._offset, self._scale = features.mean(axis=0), np.where(features.std(axis=0) > 0, features.std(axis=0), 1.0)
        self._level, self._unit = float(finals.mean()), float(finals.std()) or 1.0
        x, y = (features - self._offset) / self._scale, (finals - self._level) / self._unit
        kind = imported("sklearn.svm").NuSVR
        fold = folds(len(y), 5, np.random.default_rng(self.seed))

        def error(penalty: float) -> float:
            left = np.empty(len(y))
            for part in range(5):
                model = kind(C=penalty, nu=self.nu, gamma="scale").fit(x[fold != part], y[fold != part])
                left[fold == part] = y[fold == part] - model.predict(x[fold == part])
            return _root_mean_square(left)

        errors = [error(penalty) for penalty in self.penalties]
        best = int(np.argmin(errors))
        self._model = kind(C=self.penalties[best], nu=self.nu, gamma="scale").fit(x, y)
        self._spread = errors[best] * self._unit

    def _predict(self, curves: Sequence[Floats]) -> tuple[Floats, Floats]:
        found: Floats = self._model.predict((self._features(curves) - self._offset) / self._scale)
        return self._level + self._unit * found, np.full(len(curves), self._spread)

    def _features(self, curves: Sequence[Floats]) -> Floats:
        lengths = sorted({len(curve) for curve in curves})
        if lengths != [self._length]:
            raise InputError(
                f"CurveRegression was fitted to curves of {self._length} steps, found {', '.join(map(str, lengths))}",
                hint="Cut all curves to the same length.",
            )
        values = np.stack(curves)
        return np.concatenate([values, np.diff(values, axis=1), np.diff(values, n=2, axis=1)], axis=1)


@final
class ParametricCurves(CurvePredictor):
    """Extrapolates each curve by itself: eleven families of increasing, saturating curves, fitted by least squares.

    The families are those of Domhan, Springenberg and Hutter 2015. Each counts by its Akaike weight, corrected for
    small samples, instead of their Markov chain. The variance is what the families differ by, what each varies by
    when its residuals are drawn again ``draws`` times, and the residuals' own. It may be used without a fit; a fit
    sees how far off it was on known curves and corrects the spread by that.

    A curve has at least 4 steps of ``steps`` in all, and may fall: then it is fitted upside down. About a tenth of a
    second a curve.
    """

    def __init__(self, steps: int, *, draws: int = 10, seed: int = 0) -> None:
        super().__init__()
        whole("ParametricCurves", 4, steps=steps)
        whole("ParametricCurves", 0, draws=draws, seed=seed)
        self.steps = steps
        self.draws = draws
        self.seed = seed
        self._fitted = True
        self._calibration = Calibration()

    def _fit(self, curves: Sequence[Floats], finals: Floats) -> None:
        mean, spread = self._extrapolated(curves)
        self._calibration = calibrated(mean - finals, spread)

    def _predict(self, curves: Sequence[Floats]) -> tuple[Floats, Floats]:
        mean, spread = self._extrapolated(curves)
        return mean, self._calibration(spread)

    def _extrapolated(self, curves: Sequence[Floats]) -> tuple[Floats, Floats]:
        rng = np.random.default_rng(self.seed)
        found = np.array([self._one(curve, rng) for curve in curves])
        return found[:, 0], found[:, 1]

    def _one(self, curve: Floats, rng: np.random.Generator) -> tuple[float, float]:
        if not 4 <= len(curve) <= self.steps:
            raise InputError(f"ParametricCurves: a curve has 4 to {self.steps} steps, found {len(curve)}")
        low, unit = float(curve.min()), float(np.ptp(curve))
        if unit == 0:
            return low, 0.0
        third = max(1, len(curve) // 3)
        rising = curve[-third:].mean() >= curve[:third].mean()
        y = (curve - low) / unit if rising else (low + unit - curve) / unit
        x, end = np.arange(1.0, len(y) + 1), np.array([float(self.steps)])
        fits = [fit for family in FAMILIES.values() if (fit := _fitted(family, x, y, family.start)) is not None]
        criteria = np.array([fit.criterion for fit in fits])
        weights = np.exp(-0.5 * (criteria - criteria.min()))
        weights /= weights.sum()
        values = np.array([float(fit.family.curve(end, fit.parameters)[0]) for fit in fits])
        variances = np.array([fit.variance for fit in fits])
        for place, fit in enumerate(fits):
            if weights[place] > NEGLIGIBLE and self.draws:
                variances[place] += self._again(fit, x, y, end, rng)
        mean = float(weights @ values)
        spread = float(np.sqrt(weights @ (variances + (values - mean) ** 2)))
        return (low + unit * mean if rising else low + unit * (1 - mean)), unit * spread

    def _again(self, fit: _Fit, x: Floats, y: Floats, end: Floats, rng: np.random.Generator) -> float:
        """The variance of the end of a family's curve when its residuals are drawn again (Efron's bootstrap)."""
        smooth = fit.family.curve(x, fit.parameters)
        residuals = (y - smooth) - (y - smooth).mean()
        ends = []
        for _ in range(self.draws):
            drawn = _fitted(fit.family, x, smooth + rng.choice(residuals, len(x)), fit.parameters, calls=15)
            if drawn is not None:
                ends.append(float(fit.family.curve(end, drawn.parameters)[0]))
        return float(np.var(ends)) if ends else 0.0


@dataclass(frozen=True)
class Family:
    """A curve of steps and parameters, where its fit starts, and the ends of its parameters."""

    curve: Callable[[Floats, Floats], Floats]
    start: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


@dataclass(frozen=True)
class _Fit:
    family: Family
    parameters: Floats
    variance: float  # of the residuals
    criterion: float


def _fitted(family: Family, x: Floats, y: Floats, start: Sequence[float] | Floats, calls: int = 60) -> _Fit | None:
    """The family's least squares; None where there are too few steps for its parameters."""
    from scipy.optimize import least_squares

    count, free = len(x), len(family.start)
    if count < free + 2:
        return None
    with np.errstate(all="ignore"):
        found = least_squares(
            lambda p: np.nan_to_num(family.curve(x, p) - y, nan=9.0, posinf=9.0, neginf=-9.0),
            np.clip(start, family.low, family.high), bounds=(family.low, family.high), max_nfev=calls,
        )  # fmt: skip
    square = max(2 * float(found.cost), 1e-12 * count)
    correction = 2 * free * count / (count - free - 1)
    return _Fit(family, found.x, square / (count - free), count * float(np.log(square / count)) + correction)


def _log(x: Any) -> Any:
    return np.log(np.maximum(x, 1e-12))


FAMILIES: dict[str, Family] = {
    "vapor pressure": Family(
        lambda x, p: np.exp(p[0] + p[1] / x + p[2] * _log(x)), (-0.5, -0.3, 0.05), (-9, -9, -1), (1, 1, 1)
    ),
    "pow3": Family(lambda x, p: p[0] - p[1] * x ** -p[2], (1.0, 0.5, 0.5), (0, 0, 0.01), (2, 3, 3)),
    "log log linear": Family(lambda x, p: _log(p[0] * _log(x + 1) + p[1]), (0.5, 1.2), (0, 1), (5, 5)),
    "hill3": Family(
        lambda x, p: p[0] * x ** p[1] / (p[2] ** p[1] + x ** p[1]), (1.0, 1.0, 1.0), (0, 0.05, 0.01), (2, 4, 99)
    ),
    "log power": Family(
        lambda x, p: p[0] / (1 + (x / np.exp(p[1])) ** p[2]), (1.0, 0.5, -1.0), (0, -4, -4), (2, 6, -0.01)
    ),
    "pow4": Family(
        lambda x, p: p[0] - (p[1] * x + p[2]) ** -p[3], (1.2, 1.0, 1.0, 0.7), (0, 0.01, 0.5, 0.05), (3, 9, 9, 3)
    ),
    "mmf": Family(
        lambda x, p: p[0] - (p[0] - p[1]) / (1 + (p[2] * x) ** p[3]),
        (1.0, 0.0, 0.5, 1.0), (0, -1, 0, 0.05), (2, 1, 9, 4),
    ),
    "exp4": Family(
        lambda x, p: p[0] - np.exp(-p[1] * x ** p[2] + p[3]), (1.0, 0.5, 0.7, 0.0), (0, 0, 0.05, -3), (2, 9, 2, 1)
    ),
    "janoschek": Family(
        lambda x, p: p[0] - (p[0] - p[1]) * np.exp(-p[2] * x ** p[3]),
        (1.0, 0.0, 0.3, 0.8), (0, -1, 0, 0.05), (2, 1, 9, 2),
    ),
    "weibull": Family(
        lambda x, p: p[0] - (p[0] - p[1]) * np.exp(-((p[2] * x) ** p[3])),
        (1.0, 0.0, 0.3, 0.8), (0, -1, 0, 0.05), (2, 1, 9, 2),
    ),
    "ilog2": Family(lambda x, p: p[0] - p[1] / _log(x + 1), (1.0, 0.4), (0, 0), (3, 3)),
}  # fmt: skip
"""The eleven families of Domhan, Springenberg and Hutter 2015. Steps count from 1, and values are scaled so that the
curve seen goes from 0 to 1. Where a logarithm is divided by, or taken again, it is that of one step more."""


def _checked(curves: Sequence[ArrayLike], who: str) -> list[Floats]:
    if not isinstance(curves, Sequence | np.ndarray) or isinstance(curves, str | bytes):
        raise InputError(f"{who}: curves are a list of rows of numbers, found {type(curves).__name__}")
    rows = []
    for place, curve in enumerate(curves):
        row = _numbers(curve)
        if row is None:
            raise InputError(f"{who}: curve {place} is no row of numbers, found {curve!r:.60}")
        if row.ndim != 1 or not len(row) or not np.isfinite(row).all():
            raise InputError(f"{who}: curve {place} is no row of finite numbers (shape {row.shape})")
        if np.abs(row).max() > LARGEST:
            raise InputError(f"{who}: curve {place} goes beyond {LARGEST:g}, where its squares are no numbers")
        rows.append(row)
    return rows


def _numbers(values: Any) -> Floats | None:
    """The values as floats; None for what is none: text, complex numbers, rows of different lengths."""
    try:
        found = np.asarray(values)
        return None if np.iscomplexobj(found) else found.astype(np.float64)
    except (TypeError, ValueError):
        return None


def _root_mean_square(values: Floats) -> float:
    return float(np.sqrt(np.mean(values**2)))
