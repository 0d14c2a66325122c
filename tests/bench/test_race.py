"""One run: what counts as a query, and who is the incumbent."""

import bench_toys as toys
import numpy as np
import pytest

from netwright import strategies
from netwright.bench.measures import HYPERVOLUME, Measure
from netwright.bench.race import Account, Race, check_strategy, make_strategy
from netwright.errors import InputError
from netwright.evaluators.tables import Table
from netwright.pareto import hypervolume
from netwright.trial import Proposal, State, Trial

SIZE = Measure("params", None, "minimize")


def run(strategy, queries=20, seed=0, objectives=(toys.ACC,), workers=1):
    return Race(toys.table(), strategy, objectives, queries, workers).run(seed)


def told(account, table, rows, *, budget=None, state=State.FINISHED):
    """Tells an account of trials of these rows at a budget."""
    for row in rows:
        architecture = table.architecture(row)
        fidelity = 9 if budget is None else budget
        metrics = {} if budget == "proxy" else {"acc": table.value(architecture, "acc", fidelity=fidelity)}
        account(None, Trial(account.trials, Proposal(architecture, budget), state, metrics))


def test_incumbents_are_the_best_so_far():
    """Those of random search, walked through by hand with the study's own generators."""
    table, strategy = toys.table(), strategies.Random()
    strategy.start(table.space, ())
    best, expected = -np.inf, {}
    for number in range(20):
        architecture = strategy.ask(np.random.default_rng([5, number, 0])).architecture
        score = table.value(architecture, "acc", fidelity=9)
        if score > best:
            best = score
            expected[number + 1] = {"searched": score, "row": float(table.row(architecture))}
    assert expected == run("random", seed=5).incumbents


def test_of_equal_scores_the_lowest_row_is_the_incumbent():
    """Whichever was seen first: four architectures of eleven parameters, and then a larger one."""
    table = toys.table()
    account = Account(table, (SIZE,), 20)
    for number, row in enumerate([27, 3, 9, 1, 4]):
        metrics = {"params": float(table.find("params", None).mean[row])}
        account(None, Trial(number, Proposal(table.architecture(row)), State.FINISHED, metrics))
    assert [27, 3, 1] == [incumbent["row"] for incumbent in account.incumbents.values()]


def test_the_same_seed_gives_the_same_run():
    """And another seed another."""
    first, again, other = (run("evolution(population=5,tournament=2)", seed=seed) for seed in (1, 1, 2))
    assert (first.incumbents, first.metrics()) == (again.incumbents, again.metrics())
    assert first.incumbents != other.incumbents


def test_a_repetition_is_a_query():
    """Evolution meets architectures again, and its run is no longer for it."""
    account = run("evolution(population=3,tournament=2)", queries=60)
    found = account.metrics()
    assert (60, 60) == (found["queries"], found["trials"])
    assert found["distinct"] < 60


def test_an_exhausted_space_ends_the_run():
    """Random search has seen all 81 then, and its incumbent is the best of them."""
    account = run("random", queries=500)
    found = account.metrics()
    assert (81, 81) == (found["queries"], found["distinct"])
    assert found["searched"] == toys.table().column("acc@9").mean.max()


def test_seconds_of_training_are_the_tables():
    """Each architecture's are paid once."""
    table = toys.table()
    account = Account(table, (toys.ACC,), 10)
    told(account, table, [0, 80])
    told(account, table, [0], state=State.REUSED)
    assert 9 + 27 == account.metrics()["train_seconds"]
    assert 3 == account.metrics()["queries"]


def test_a_cheap_budget_is_a_part_of_a_query():
    """An evaluation at 1 of 9 is a ninth; a promotion pays the difference, in queries and in seconds."""
    table = toys.table()
    account = Account(table, (toys.ACC,), 10)
    told(account, table, [0, 1, 2], budget=1)
    assert 3 / 9 == pytest.approx(account.spent)
    told(account, table, [0], budget=3)
    assert 3 / 9 + 2 / 9 == pytest.approx(account.spent)
    told(account, table, [0])
    assert 3 / 9 + 8 / 9 == pytest.approx(account.spent)
    assert 1 + 1 + 9 == account.seconds


def test_scores_at_different_fidelities_are_not_compared():
    """The incumbent is of the largest fidelity so far, however good a cheaper score was."""
    table = toys.table()
    cheap, dear = table.column("acc@1").mean, table.column("acc@9").mean
    low, high = int(np.argmin(dear)), int(np.argmax(cheap))
    assert dear[low] < cheap[high]
    account = Account(table, (toys.ACC,), 10)
    told(account, table, [high], budget=1)
    assert high == account.incumbents[1]["row"]
    told(account, table, [low])
    told(account, table, [int(np.argmax(dear))], budget=1)
    assert {"searched": dear[low], "row": float(low)} == account.incumbents[2]


def test_proxies_are_no_queries():
    """They are counted by themselves, and have no score."""
    table = toys.table()
    account = Account(table, (toys.ACC,), 2)
    told(account, table, range(30), budget="proxy")
    assert (0, 30, {}) == (account.spent, account.proxies, account.incumbents)
    told(account, table, [4])
    assert 30 == account.metrics()["proxies"]


@pytest.mark.parametrize(
    ("proxies", "sentence"),
    [
        ("sinflow", r"asks for the proxy 'sinflow', which is unknown \(did you mean 'synflow'\?\)"),
        ("-parms", r"asks for the proxy 'parms', which is unknown \(did you mean 'params'\?\)"),
        ("synflow,params,zen", "asks for synflow, zen, which the table 'toy' does not have; it has params"),
    ],
)
def test_proxies_that_the_table_lacks_are_named(proxies, sentence):
    """Before anything runs: without them the search would be that of the inner strategy, unsaid."""
    with pytest.raises(InputError, match=sentence):
        make_strategy(f"proxy-start(proxies=({proxies},))", toys.table(), (toys.ACC,))


def test_proxies_that_the_table_has_are_asked_for():
    """Also one that is better when smaller."""
    assert make_strategy("proxy-start(proxies=(-params,))", toys.table(), (toys.ACC,)).proxies == ("-params",)


def test_auto_asks_a_table_without_costs_for_nothing():
    """Left open it does not ask; told to ask, it is refused."""
    whole = toys.table()
    table = Table("bare", whole.space, toys.CHOICES, {"acc@9": whole.column("acc@9").mean})
    assert make_strategy("auto", table, (toys.ACC,)).proxies is None
    with pytest.raises(InputError, match="the table 'bare' has none that go with what is searched"):
        make_strategy("auto(proxies=true)", table, (toys.ACC,))


def test_what_goes_beyond_the_last_query_does_not_count():
    """A burst of trials may follow the last; the best of them is not the incumbent."""
    table = toys.table()
    best = int(np.argmax(table.column("acc@9").mean))
    account = Account(table, (toys.ACC,), 2)
    told(account, table, [0, 1, best])
    assert account.is_over()
    assert (2, 2) == (account.metrics()["queries"], account.metrics()["trials"])
    assert best not in [incumbent["row"] for incumbent in account.incumbents.values()]


def test_an_evaluation_that_does_not_fit_any_more_does_not_count():
    """A ninth of a query is used, and one whole one is more than is left."""
    table = toys.table()
    account = Account(table, (toys.ACC,), 1)
    told(account, table, [0], budget=1)
    told(account, table, [80])
    assert account.is_over()
    assert [0] == [incumbent["row"] for incumbent in account.incumbents.values()]
    assert 1 == account.metrics()["queries"] == account.metrics()["trials"]


def test_a_failed_trial_is_a_query_without_a_score():
    """It cost what it cost."""
    table = toys.table()
    account = Account(table, (toys.ACC,), 5)
    told(account, table, [80], state=State.FAILED)
    assert (1, {}) == (account.spent, account.incumbents)
    with pytest.raises(InputError, match="before anything had a score"):
        account.metrics()


def test_a_minimized_metric():
    """The incumbent is the smallest."""
    account = run("random", queries=200, objectives=(SIZE,))
    assert 10 == account.metrics()["searched"]


def test_several_metrics_have_a_volume():
    """The share of the table's hypervolume, here against pareto's own; all of it when all was seen."""
    table = toys.table()
    objectives = (toys.ACC, SIZE)
    points = np.stack([table.column("acc@9").mean, -table.column("params").mean], axis=1)
    points = (points - points.min(axis=0)) / np.ptp(points, axis=0)
    account = run("nsga2(population=4)", queries=10, objectives=objectives)
    seen = Account(table, objectives, 10)
    assert 0 < account.metrics()[HYPERVOLUME] < 1
    for number, row in enumerate([3, 70, 40, 3]):
        metrics = {"acc": table.column("acc@9").mean[row], "params": table.column("params").mean[row]}
        seen(None, Trial(number, Proposal(table.architecture(row)), State.FINISHED, metrics))
    expected = hypervolume(points[[3, 70, 40]], [0, 0]) / hypervolume(points, [0, 0])
    assert expected == pytest.approx(seen.metrics()[HYPERVOLUME])
    assert 1 == pytest.approx(run("random", queries=100, objectives=objectives).metrics()[HYPERVOLUME])


def test_multi_fidelity_strategies_get_the_tables_budgets():
    """Unless they are given some of their own; they use fewer queries than trials."""
    assert [1, 3, 9] == list(make_strategy("hyperband", toys.table(), (toys.ACC,)).budgets)
    assert [3, 9] == list(make_strategy("asha(budgets=[3,9])", toys.table(), (toys.ACC,)).budgets)
    found = run("successive-halving", queries=10).metrics()
    assert found["queries"] <= 10 < found["trials"]


def test_a_strategy_that_cannot_search_this_is_refused():
    """Before anything runs: one fidelity is no ladder, and an unknown name has a nearest."""
    with pytest.raises(InputError, match="hyperband needs fidelities cheaper than acc@1; the table has acc at"):
        check_strategy("hyperband", toys.table(), (Measure("acc", 1),))
    with pytest.raises(InputError, match="evolution"):
        check_strategy("evolutoin", toys.table(), (toys.ACC,))
    with pytest.raises(InputError, match="one objective"):
        check_strategy("evolution", toys.table(), (toys.ACC, SIZE))


def test_simulated_workers_share_the_work():
    """Four of them need a quarter of the time or a little more, and as many queries; twice the same."""
    alone, together, again = (run("random", queries=40, workers=workers) for workers in (1, 4, 4))
    assert 40 == alone.metrics()["queries"] == together.metrics()["queries"]
    assert "simulated_seconds" not in alone.metrics()
    seconds = together.metrics()["simulated_seconds"]
    assert 1 <= 4 * seconds / together.metrics()["train_seconds"] < 1.3
    assert together.metrics() == again.metrics()


def test_two_tables_have_two_fingerprints():
    """Other numbers under the same name are another table."""
    race = Race(toys.table(), "random", (toys.ACC,), 5)
    other = Race(toys.table(), "random", (Measure("acc", 3),), 5)
    assert race.fingerprint == Race(toys.table(), "evolution", (toys.ACC,), 5).fingerprint
    assert race.fingerprint["content"] != other.fingerprint["content"]
