"""Language models in the manner of scikit-learn: from a text to a network that continues texts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, final

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from netwright.errors import DataError, InputError
from netwright.tasks import fitting, language
from netwright.tasks.checks import shorten
from netwright.tasks.outcome import Outcome
from netwright.tasks.parameters import named
from netwright.tasks.prediction import Predictor


@final
class LanguageModel(BaseEstimator):  # type: ignore[misc]
    """Finds, trains and keeps a network that predicts the next character or word of a text.

    Parameters
    ----------
    tokens, window:
        ``"characters"`` or ``"words"`` (the most frequent ones), and how many of them the network sees at once.
    time_limit, max_trials:
        Seconds (or ``"10m"``) and number of trials; with neither, ten minutes. Where not even an epoch on the whole
        text fits, its beginning alone is used, and ``study_.warnings`` says so.
    space, strategy, constraints:
        As of the command line; with ``strategy="reinforce"`` the space is the recurrent cell of Zoph and Le.
    n_jobs, random_state, device, out:
        Worker processes, the seed, where networks train, and the folder of the study (None: a temporary one).
    preset, callbacks, dry_run, start_from, start_weights:
        As of every search, see :class:`~netwright.tasks.estimators.NeuralArchitectureSearch`.

    After :meth:`fit`: ``best_`` (the trial), ``study_`` (the :class:`~netwright.tasks.outcome.Outcome`, beside an LSTM
    of the same number of parameters), ``network_``, ``tokens_`` (the first stands for all that are unknown), ``out_``.
    """

    @named
    def __init__(
        self,
        *,
        tokens: str = "characters",
        window: int = language.WINDOW,
        time_limit: float | str | None = None,
        max_trials: int | None = None,
        space: Any = None,
        strategy: Any = "auto",
        constraints: Mapping[str, float] | None = None,
        n_jobs: int | None = None,
        random_state: int | None = 0,
        device: str = "auto",
        out: str | Path | None = None,
        preset: str | None = None,
        callbacks: Sequence[Any] | None = None,
        dry_run: bool = False,
        start_from: str | Path | None = None,
        start_weights: bool = True,
    ) -> None:
        self.tokens = tokens
        self.window = window
        self.time_limit = time_limit
        self.max_trials = max_trials
        self.space = space
        self.strategy = strategy
        self.constraints = constraints
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.device = device
        self.out = out
        self.preset = preset
        self.callbacks = callbacks
        self.dry_run = dry_run
        self.start_from = start_from
        self.start_weights = start_weights

    def fit(self, X: str | Path, y: None = None) -> LanguageModel:
        """Searches, and returns itself. ``X`` is a text, or the :class:`~pathlib.Path` of one in UTF-8.

        Its last fifth is held out, and what is found is judged on it. ``y`` is there for scikit-learn's sake: what is
        to be predicted is the text itself.
        """
        text = self._text(X)
        seed = fitting.seed_of(self.random_state)
        out = fitting.folder_of(self, self.out)
        self.study_: Outcome = fitting.searched(
            out,
            language.Text.of(text, tokens=self.tokens, window=self.window),
            task="language",
            space=self.space,
            strategy=self.strategy,
            constraints=self.constraints,
            time_limit=self.time_limit,
            max_trials=self.max_trials,
            n_jobs=self.n_jobs,
            seed=seed,
            device=self.device,
            preset=self.preset,
            callbacks=self.callbacks or (),
            dry_run=self.dry_run,
            start_from=self.start_from,
            start_weights=self.start_weights,
        )
        self._predictor = Predictor.open(out, space=self.space)
        self.out_ = out
        self.best_ = self.study_.best
        self.network_ = self._predictor.network
        self.tokens_ = list(self._constants["tokens"])
        return self

    def perplexity(self, X: str | Path) -> float:
        """Of a text: the exponential of the mean loss a token, each predicted from those before it in its window.

        The last tokens that fill no window are left out, unless the text is shorter than one.
        """
        return float(np.exp(-self.score(X)))

    def score(self, X: str | Path, y: None = None) -> float:
        """Minus the mean loss a token, in nats: more is better."""
        from netwright.training.goals import GOALS
        from netwright.training.loop import predict

        check_is_fitted(self, "best_")
        numbers = language.encode(self._constants, self._text(X))
        if len(numbers) < 2:
            raise DataError("a text of fewer than two tokens has no perplexity")
        window = min(self._constants["window"], len(numbers) - 1)
        count = (len(numbers) - 1) // window
        rows = numbers[: count * window].reshape(count, window).astype(np.float32)
        after = numbers[1 : count * window + 1].reshape(count, window)
        losses = [
            -GOALS["tokens"].credits(predict(self.network_, rows[at : at + 512]), after[at : at + 512])
            for at in range(0, count, 512)
        ]
        return -float(np.concatenate(losses).mean())

    def predict(self, X: list[str]) -> list[str]:
        """The most probable token after each of these texts."""
        return [self.tokens_[row.argmax()] for row in self.predict_proba(X)]

    def predict_proba(self, X: Any) -> np.ndarray[Any, Any]:
        """The probabilities of what comes after each of these texts: (N, tokens), columns as ``tokens_``."""
        check_is_fitted(self, "best_")
        return np.stack([_probabilities(self._after(language.encode(self._constants, text))) for text in _texts(X)])

    def generate(
        self, prompt: str = "\n", tokens: int = 200, *, temperature: float = 1.0, random_state: int | None = 0
    ) -> str:
        """``prompt`` continued by so many tokens, drawn by their probabilities.

        The logarithms of these are divided by ``temperature``: less than 1 is more likely, 0 always the most likely
        token. The unknown token is never drawn. What is generated comes without the prompt.
        """
        check_is_fitted(self, "best_")
        if not isinstance(prompt, str):
            raise InputError(f"generate continues a text, found {shorten(prompt)}")
        if tokens < 1 or not (temperature >= 0 and np.isfinite(temperature)):
            raise InputError(
                f"generate takes at least 1 token and a temperature from 0 on, found {tokens} and {temperature}"
            )
        rng = np.random.default_rng(random_state)
        numbers = list(language.encode(self._constants, prompt))
        begin = len(numbers)
        for _ in range(tokens):
            scores = self._after(np.array(numbers))
            scores[0] = -np.inf
            if temperature == 0:
                numbers.append(int(scores.argmax()))
                continue
            numbers.append(int(rng.choice(len(scores), p=_probabilities(scores / temperature))))
        return language.join(self._constants, [self.tokens_[number] for number in numbers[begin:]])

    def export(self, path: str | Path, to: str = "source") -> Path:
        """Writes the network: ``to`` is one of ``netwright.export.FORMATS``."""
        from netwright.tasks.shipping import export

        check_is_fitted(self, "best_")
        return export(fitting.kept(self.out_, self.out), to, Path(path))

    @property
    def _constants(self) -> Mapping[str, Any]:
        constants: Mapping[str, Any] = self._predictor.preprocessing["inputs"]
        return constants

    def _after(self, numbers: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """The network's scores of what comes after these tokens, float64 (tokens,)."""
        from netwright.training.loop import predict

        row = numbers[-self._constants["window"] :]
        if not len(row):
            row = np.array([language.filler(self._constants)])
        scores: np.ndarray[Any, Any] = predict(self.network_, row[None].astype(np.float32))[0, -1]
        return scores.astype(np.float64)

    def _text(self, X: Any) -> str:
        if isinstance(X, Path):
            return language.read_text(X)
        if not isinstance(X, str):
            raise DataError(
                f"a language model learns from a text, found {type(X).__name__}", hint="Give a string, or a Path"
            )
        return X

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "best_")


def _texts(X: Any) -> list[str]:
    """Texts of which each is to be continued; InputError for what is no list of them."""
    if isinstance(X, str) or not isinstance(X, Iterable):
        raise InputError(
            f"predict takes a list of texts, found {shorten(X)}", hint="Put the text into a list, or use generate"
        )
    texts = list(X)
    if not texts:
        raise InputError("predict takes a list of texts, and there is none in it", hint="Give at least one text")
    for place, text in enumerate(texts):
        if not isinstance(text, str):
            raise InputError(f"predict takes a list of texts, and X[{place}] is {shorten(text)}")
    return texts


def _probabilities(scores: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    weights = np.exp(scores - scores.max())
    made: np.ndarray[Any, Any] = weights / weights.sum()
    return made
