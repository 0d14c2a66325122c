"""Whether a searched recurrent cell is ahead of an LSTM of the same number of parameters, on a text of one's own.

Zoph and Le's space is searched by REINFORCE and by evolution; every trial trains for one epoch on the first windows of
the text. The best cells of each search and an LSTM of as many parameters then train from scratch on the same windows in
the same order for as many steps, and as often: the cells at the learning rate of the search, the LSTM at that, at half
and at twice as much. Of each side the best on the validation part is judged on windows that neither the
search nor the training saw. Printed for each seed: perplexities on the validation part and on that last part; over the
seeds the mean differences of their logarithms with their 95 % intervals by Student's t (less than 0: the found cell is
ahead).

    python benchmarks/language.py CORPUS [--windows 6000] [--trials 30] [--epochs 6] [--seeds 3] [--hidden 64]
        [--lr 0.02] [--strategies reinforce,evolution] [--jobs 1]

Without CORPUS the text is made up, which shows no more than that everything runs.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from scipy import stats

import netwright as nw
from netwright.costs import measure
from netwright.evaluators import Train
from netwright.tasks import language
from netwright.training import Data, Recipe
from netwright.training.goals import GOALS
from netwright.training.loop import credits, train_network
from netwright.zoo import SPACES, baselines, trees

STRATEGIES = ("reinforce", "evolution")
RATES = (1.0, 0.5, 2.0)
"""The LSTM's learning rates, as multiples of the search's; as many of the found cells are trained."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("corpus", nargs="?", type=Path)
    parser.add_argument("--windows", type=int, default=6000)
    parser.add_argument("--trials", type=int, default=30)
    parser.add_argument("--epochs", type=int, default=6, help="of the last training")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--hidden", type=int, default=64)
    parser.add_argument("--lr", type=float, default=0.02, help="of every training; a short one wants a large one")
    parser.add_argument("--strategies", default=",".join(STRATEGIES))
    parser.add_argument("--jobs", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    text = made_up() if arguments.corpus is None else language.read_text(arguments.corpus)
    cut = language.Text.of(text)
    cut = cut.first(min(len(cut), arguments.windows))
    parts = language.split(cut, 0, False)
    known = language.learn(cut, parts.development)
    data = Data(
        language.apply(known, cut), language.targets(known, cut), tuple(known["tokens"]), goal="tokens",
        facts=language.facts(known),
    )  # fmt: skip
    recipe = Recipe(**baselines.baseline("lstm").recipe).replace(lr=arguments.lr)
    space = SPACES["zoph-rnn"].space(vocabulary=len(known["tokens"]), hidden=arguments.hidden, layers=1, tied=False)
    steps = -(-len(parts.train) // recipe.batch_size)
    print(f"{len(cut):,} windows of {cut.window} characters, {len(known['tokens'])} tokens")
    print(f"{len(parts.train):,} of them to train on, {steps} steps an epoch")

    def perplexities(network: torch.nn.Module, seed: int, rate: float) -> tuple[float, float]:
        chosen = recipe.replace(lr=arguments.lr * rate)
        train_network(network, data, parts.train, chosen, seed=seed, epochs=arguments.epochs)
        judged = (parts.validation, parts.selection)
        losses = [-credits(network, data.X[rows], data.y[rows], task="tokens").mean() for rows in judged]
        return GOALS["tokens"].shown_score(-losses[0]), GOALS["tokens"].shown_score(-losses[1])

    lstm: dict[int, tuple[float, float]] = {}
    for strategy in arguments.strategies.split(","):
        differences = []
        for seed in range(arguments.seeds):
            began = time.perf_counter()
            with tempfile.TemporaryDirectory() as folder:
                evaluate = Train(data, recipe, split=parts, epochs=1)
                study = nw.Study(
                    space, strategy, evaluate, minimize="val_perplexity", store=Path(folder) / "study", seed=seed
                )  # fmt: skip
                study.run(max_trials=arguments.trials, n_jobs=arguments.jobs)
                done = sorted(
                    (trial for trial in study.trials if "val_perplexity" in trial.metrics),
                    key=lambda trial: trial.metrics["val_perplexity"],
                )
            cells = list(dict.fromkeys(trial.architecture for trial in done))[: len(RATES)]
            searched = time.perf_counter() - began
            params = int(measure(space, cells[0], data.input_shape, ["params"])["params"])
            results = []
            for cell in cells:
                torch.manual_seed(seed)
                results.append((*perplexities(space.build(cell), seed, 1.0), cell))
            *found, best = min(results, key=lambda each: each[0])
            if seed not in lstm:
                rivals = []
                for rate in RATES:
                    torch.manual_seed(seed)
                    rivals.append(
                        perplexities(baselines.LanguageLSTM.of_size(len(known["tokens"]), params), seed, rate)
                    )
                lstm[seed] = min(rivals)
            differences.append(np.log(found) - np.log(lstm[seed]))
            print(f"{strategy:10} seed {seed}: found {found[0]:.3f} validation, {found[1]:.3f} unseen; LSTM "
                  f"{lstm[seed][0]:.3f}, {lstm[seed][1]:.3f}; search {searched:.0f} s", flush=True)  # fmt: skip
            if seed == 0:
                made = SPACES["zoph-rnn"].tree
                assert made is not None
                print(trees.text(made(best)), flush=True)
        print(f"{strategy:10} {params:,} parameters, beside the LSTM in nats a character:")
        for place, part in enumerate(("validation", "unseen")):
            each = [float(pair[place]) for pair in differences]
            mean, margin = float(np.mean(each)), 0.0
            if len(each) > 1:
                margin = float(stats.sem(each) * stats.t.ppf(0.975, len(each) - 1))
            print(
                f"{'':10} {part:10} {mean:+.4f}, 95 % interval {mean - margin:+.4f} to {mean + margin:+.4f} over "
                f"{len(each)} seeds",
                flush=True,
            )


def made_up(count: int = 40_000) -> str:
    """Sentences of a few words."""
    rng = np.random.default_rng(0)
    words = np.array(["who", "goes", "there", "nay", "answer", "me", "stand", "and", "unfold", "yourself"])
    return " ".join(words[rng.integers(len(words), size=count)])


if __name__ == "__main__":
    main()
