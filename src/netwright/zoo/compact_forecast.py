"""A compact space for forecasts: blends of simple forecasts, linear layers, (pooled) perceptrons, causal convolutions.

The input (N, channels, lookback + horizon) has the series first, 0 from the end of the lookback on, then covariates.
All begin as the seasonal naive forecast. Each window is normalised by itself and the forecast is put back (after Kim et
al. 2022, without their learnt scale), perhaps in logarithms. The blend learns a dozen weights of simple forecasts, as
combined ones have them (Bates and Granger 1969): few windows tell no more. The linear network may split a moving
average off, as DLinear (Zeng et al. 2023); the perceptron has residual blocks and a linear way around them, as TiDE
(Das et al. 2023); the pooled one looks at the window at several resolutions and forecasts a few knots at each, as
N-HiTS (Challu et al. 2023); the convolutions are those of the space ``series``. All are small relatives, not the
published networks. From few windows too much is learnt: then half of what a network differs by from the naive forecast
may be better than all of it (shrinkage, Copas 1983).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from netwright.space import choose, one_of, repeat, scope
from netwright.zoo.series import CausalBlock

FLOOR = 0.1
"""In units of the naive error: what values of a window deviate by at least."""
SMOOTHING, DAMPING = 0.4, 0.7
"""Of the simple forecasts: how much the last value counts in an exponential mean, and how a trend fades by the step."""
POOLS = (8, 4, 1)
"""How many steps are pooled to one, block by block; the coarse ones are first, as in the paper."""


class Naive(nn.Linear):
    """A linear layer from the window to the horizon that begins as the seasonal naive forecast.

    Where there is little to learn from, what is trained stays near what it began with.
    """

    def __init__(self, lookback: int, horizon: int, season: int) -> None:
        super().__init__(lookback, horizon)
        with torch.no_grad():
            self.weight.zero_()
            self.bias.zero_()
            for step in range(horizon):
                self.weight[step, lookback - season + step % season] = 1.0


class Silent(nn.Linear):
    """A linear layer that says nothing at first."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs)
        with torch.no_grad():
            self.weight.zero_()
            self.bias.zero_()


class Whole(nn.Module):
    """The forecast as it is."""

    def forward(self, forecast: Tensor, window: Tensor) -> Tensor:
        return forecast


class Half(nn.Module):
    """The mean of a forecast (N, horizon) and of the naive one for its window (N, lookback); all of it in training."""

    places: Tensor

    def __init__(self, lookback: int, horizon: int, season: int) -> None:
        super().__init__()
        places = [lookback - season + step % season for step in range(horizon)]
        self.register_buffer("places", torch.tensor(places, device="cpu"))

    def forward(self, forecast: Tensor, window: Tensor) -> Tensor:
        if self.training:
            return forecast
        made: Tensor = 0.5 * (forecast + window[:, self.places])
        return made


class LastValue(nn.Module):
    """The last step of each window (N, steps), (N, 1)."""

    def forward(self, x: Tensor) -> Tensor:
        return x[:, -1:]


class MeanValue(nn.Module):
    """The mean of each window (N, steps), (N, 1)."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean(1, keepdim=True)


class Plain(nn.Module):
    """Values as they are."""

    def forward(self, x: Tensor) -> Tensor:
        return x

    def floor(self, window: Tensor) -> Tensor:
        """What a window (N, steps) deviates by at least: a tenth of the naive error, (1, 1)."""
        return window.new_full((1, 1), FLOOR)

    def back(self, forecast: Tensor, window: Tensor) -> Tensor:
        return forecast


class Logarithm(nn.Module):
    """Logarithms of values that are not negative, a tenth of the naive error added: what grows by parts of itself."""

    def forward(self, x: Tensor) -> Tensor:
        return (x.clamp(min=0.0) + FLOOR).log()

    def floor(self, window: Tensor) -> Tensor:
        """What logarithms (N, steps) deviate by where values deviate by a tenth of the naive error, (N, 1)."""
        return FLOOR / window.exp().mean(1, keepdim=True)

    def back(self, forecast: Tensor, window: Tensor) -> Tensor:
        """The values again; what is twenty times beyond all of the window is a network gone astray."""
        return torch.minimum(forecast, window.amax(1, keepdim=True) + 3.0).exp() - FLOOR


class Blend(nn.Module):
    """A blend of simple forecasts: a weight each, which changes along the horizon as a straight line."""

    simple: Tensor
    line: Tensor

    def __init__(self, channels: int, lookback: int, horizon: int, season: int) -> None:
        super().__init__()
        self.lookback = lookback
        self.register_buffer("simple", simple_forecasts(lookback, horizon, season))
        self.register_buffer("line", torch.stack([torch.ones(horizon), torch.linspace(-1, 1, horizon)], 1))
        # The naive forecast has what the others leave.
        self.weight = nn.Parameter(torch.zeros(2, len(self.simple) - 1))
        self.covariates = Covariates(channels - 1, lookback + horizon, horizon) if channels > 1 else None

    def forward(self, x: Tensor) -> Tensor:
        naive, others = self.simple[0], self.simple[1:]
        weights = (self.line @ self.weight).t().unsqueeze(2)
        matrix = naive + (weights * (others - naive)).sum(0)
        made: Tensor = functional.linear(x[:, 0, : self.lookback], matrix)
        return made if self.covariates is None else made + self.covariates(x)


class Covariates(nn.Module):
    """What covariates add to a forecast, linearly: their whole window (N, covariates, lookback + horizon) at once."""

    def __init__(self, count: int, steps: int, horizon: int) -> None:
        super().__init__()
        self.layer = Silent(count * steps, horizon)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.layer(x[:, 1:].flatten(1))
        return result


class WindowLinear(nn.Module):
    """A linear layer from the window to the horizon; ``split``: a second one for the moving average of a season."""

    def __init__(self, channels: int, lookback: int, horizon: int, season: int, split: bool) -> None:
        super().__init__()
        self.lookback, self.season = lookback, min(max(2, season), lookback)
        self.layer = Naive(lookback, horizon, season)
        self.trend = Naive(lookback, horizon, season) if split else None
        self.covariates = Covariates(channels - 1, lookback + horizon, horizon) if channels > 1 else None

    def forward(self, x: Tensor) -> Tensor:
        window = x[:, 0, : self.lookback]
        if self.trend is None:
            made: Tensor = self.layer(window)
        else:
            before, after = (self.season - 1) // 2, self.season // 2
            padded = functional.pad(window[:, None], (before, after), mode="replicate")
            average = functional.avg_pool1d(padded, self.season, 1)[:, 0]
            made = self.trend(average) + self.layer(window - average)
        return made if self.covariates is None else made + self.covariates(x)


class ResidualPerceptron(nn.Module):
    """Two linear layers with ReLU between and dropout, added to the input, then LayerNorm."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width), nn.Dropout(dropout))
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.norm(x + self.body(x))
        return result


class WindowPerceptron(nn.Module):
    """Residual blocks on the window and all covariates, and a linear layer from the window around them."""

    def __init__(self, channels: int, lookback: int, horizon: int, season: int) -> None:
        super().__init__()
        self.lookback = lookback
        width = choose("width", 16, 32, 64, 128)
        dropout = choose("dropout", 0.0, 0.1, 0.3)
        self.entry = nn.Linear(lookback + (channels - 1) * (lookback + horizon), width)
        self.body = repeat("depth", lambda _: ResidualPerceptron(width, dropout), 1, 3)
        self.head = Silent(width, horizon)
        self.around = Naive(lookback, horizon, season)

    def forward(self, x: Tensor) -> Tensor:
        window = x[:, 0, : self.lookback]
        features = functional.relu(self.entry(torch.cat([window, x[:, 1:].flatten(1)], 1)))
        result: Tensor = self.head(self.body(features)) + self.around(window)
        return result


class PooledPerceptron(nn.Module):
    """A window seen at one resolution: what it says of the window itself and of the horizon, from a few knots each."""

    def __init__(self, lookback: int, horizon: int, extra: int, pool: int, width: int, dropout: float) -> None:
        super().__init__()
        pool = min(pool, lookback)
        self.pool = nn.MaxPool1d(pool, pool, ceil_mode=True)
        seen = -(-lookback // pool)
        self.body = nn.Sequential(
            nn.Linear(seen + extra, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Dropout(dropout)
        )
        ahead = max(1, -(-horizon // pool))
        self.back, self.ahead = nn.Linear(width, seen), Silent(width, ahead)
        self.register_buffer("spread_back", _between(seen, lookback))
        self.register_buffer("spread_ahead", _between(ahead, horizon))

    def forward(self, window: Tensor, extra: Tensor) -> tuple[Tensor, Tensor]:
        features = self.body(torch.cat([self.pool(window[:, None])[:, 0], extra], 1))
        return self.back(features) @ self.spread_back, self.ahead(features) @ self.spread_ahead


class PooledPerceptrons(nn.Module):
    """One block a resolution, each on what the ones before left over of the window; their forecasts are added.

    So is that of a linear layer, which N-HiTS has not.
    """

    def __init__(self, channels: int, lookback: int, horizon: int, season: int) -> None:
        super().__init__()
        self.lookback = lookback
        self.around = Naive(lookback, horizon, season)
        width = choose("width", 16, 32, 64, 128)
        dropout = choose("dropout", 0.0, 0.1, 0.3)
        extra = (channels - 1) * (lookback + horizon)
        self.blocks = nn.ModuleList(PooledPerceptron(lookback, horizon, extra, pool, width, dropout) for pool in POOLS)

    def forward(self, x: Tensor) -> Tensor:
        window, extra = x[:, 0, : self.lookback], x[:, 1:].flatten(1)
        forecasts = [self.around(window)]
        for block in self.blocks:
            back, ahead = block(window, extra)
            window = window - back
            forecasts.append(ahead)
        return torch.stack(forecasts).sum(0)


class WindowConvolutions(nn.Module):
    """Causal convolutions over the lookback, and linear layers on the last step, the window and covariates to come."""

    def __init__(self, channels: int, lookback: int, horizon: int, season: int) -> None:
        super().__init__()
        self.lookback = lookback
        width = choose("width", 8, 16, 32)
        kernel = choose("kernel", 3, 5, 7)
        dropout = choose("dropout", 0.0, 0.1)
        self.body = repeat(
            "depth", lambda index: CausalBlock(width if index else channels, width, kernel, 2**index, dropout), 2, 5
        )
        self.head = Silent(width, horizon)
        self.around = Naive(lookback, horizon, season)
        self.ahead = Silent((channels - 1) * horizon, horizon) if channels > 1 else None

    def forward(self, x: Tensor) -> Tensor:
        features = self.body(x[:, :, : self.lookback])[:, :, -1]
        result: Tensor = self.head(features) + self.around(x[:, 0, : self.lookback])
        return result if self.ahead is None else result + self.ahead(x[:, 1:, self.lookback :].flatten(1))


class CompactForecast(nn.Module):
    """One of five kinds of network on normalised windows, each with its own decisions; all begin as the naive forecast.

    Input (N, channels, lookback + horizon), output (N, horizon) in the unit of the input. ``season`` is that of the
    naive forecast, and the width of the moving average. ``positive``: no value of the series is below 0, and its unit
    has its zero where the series has it, so that logarithms may be taken.
    """

    values: Any

    def __init__(self, input_shape: tuple[int, ...], outputs: int, season: int = 1, positive: bool = False) -> None:
        super().__init__()
        choose("recipe.lr", 3e-4, 1e-3, 3e-3, 1e-2)
        channels, lookback = input_shape[0], input_shape[1] - outputs
        self.lookback, season = lookback, min(season, lookback)
        self.values = one_of("values", plain=Plain, logarithm=Logarithm) if positive else Plain()
        self.center = one_of("center", last=LastValue, mean=MeanValue)

        def within(kind: str, make: type[nn.Module]) -> nn.Module:
            with scope(kind):
                return make(channels, lookback, outputs, season)

        self.shrink = one_of("shrink", whole=Whole, half=lambda: Half(lookback, outputs, season))
        self.network = one_of(
            "network",
            blend=lambda: Blend(channels, lookback, outputs, season),
            linear=lambda: WindowLinear(channels, lookback, outputs, season, split=False),
            split=lambda: WindowLinear(channels, lookback, outputs, season, split=True),
            perceptron=lambda: within("perceptron", WindowPerceptron),
            pooled=lambda: within("pooled", PooledPerceptrons),
            convolutions=lambda: within("convolutions", WindowConvolutions),
        )

    def forward(self, x: Tensor) -> Tensor:
        window = x[:, 0, : self.lookback]
        values = self.values(window)
        center, deviation = self.center(values), spread(values, self.values.floor(values))
        normal = torch.cat([(values - center) / deviation, x[:, 0, self.lookback :]], 1)
        forecast = self.network(torch.cat([normal[:, None], x[:, 1:]], 1)) * deviation + center
        result: Tensor = self.shrink(self.values.back(forecast, values), window)
        return result


def spread(window: Tensor, floor: Tensor) -> Tensor:
    """The deviation of each window (N, steps), (N, 1), and ``floor`` at least."""
    return (window.var(1, correction=0, keepdim=True) + floor**2).sqrt()


def simple_forecasts(lookback: int, horizon: int, season: int) -> Tensor:
    """Forecasts that need no learning, as matrices (kinds, horizon, lookback); the seasonal naive one comes first.

    The others: the last value; the mean; an exponential mean; a straight line through the first and the last value; the
    last change, fading (Gardner and McKenzie 1985); of windows of two seasons the mean of all seasons, and the naive
    forecast with what changed within a season added; where a season has several steps its mean, and the naive forecast
    moved to the last value.
    """
    steps = torch.arange(horizon, device="cpu")
    ahead, passed = steps + 1.0, (steps // season + 1.0)
    seasons = lookback // season

    def before(count: int) -> Tensor:
        made = torch.zeros(horizon, lookback, device="cpu")
        made[steps, lookback - count * season + steps % season] = 1.0
        return made

    def at(place: int, worth: Tensor | float) -> Tensor:
        made = torch.zeros(horizon, lookback, device="cpu")
        made[:, place] = worth
        return made

    naive, last = before(1), at(-1, 1.0)
    recent = torch.zeros(horizon, lookback, device="cpu")
    recent[:, -season:] = 1 / season
    fading = (1 - SMOOTHING) ** torch.arange(lookback - 1, -1, -1.0, device="cpu")
    found = [naive, last, torch.full((horizon, lookback), 1 / lookback, device="cpu")]
    found.append((fading / fading.sum()).expand(horizon, lookback))
    if lookback > 1:
        found.append(last + at(-1, ahead / (lookback - 1)) - at(0, ahead / (lookback - 1)))
        change = DAMPING * (1 - DAMPING**ahead) / (1 - DAMPING)
        found.append(last + at(-1, change) - at(-2, change))
    if seasons > 1:
        found.append(torch.stack([before(count) for count in range(1, seasons + 1)]).mean(0))
        found.append(naive + at(-1, passed) - at(-1 - season, passed))
    if season > 1:
        found += [recent, naive + last - recent]
    return torch.stack(found)


def _between(knots: int, steps: int) -> Tensor:
    """The matrix (knots, steps) that draws straight lines between evenly spread knots."""
    places = torch.linspace(0, knots - 1, steps, device="cpu") if knots > 1 else torch.zeros(steps, device="cpu")
    distance = (torch.arange(knots, device="cpu")[:, None] - places[None]).abs()
    return (1 - distance).clamp(min=0.0)


_COMMON: Mapping[str, Any] = {"recipe.lr": 3e-3, "values": "plain", "center": "mean", "shrink": "whole"}

FORECAST_STARTS: tuple[Mapping[str, Any], ...] = (
    {**_COMMON, "network": "blend"},
    {**_COMMON, "recipe.lr": 1e-3, "center": "last", "network": "linear"},
    {**_COMMON, "values": "logarithm", "network": "blend"},
    {**_COMMON, "shrink": "half", "network": "perceptron", "perceptron.width": 64, "perceptron.depth": 1,
     "perceptron.dropout": 0.1},
    {**_COMMON, "values": "logarithm", "network": "split"},
    {**_COMMON, "shrink": "half", "network": "pooled", "pooled.width": 64, "pooled.dropout": 0.1},
    {**_COMMON, "network": "convolutions", "convolutions.width": 16, "convolutions.kernel": 3,
     "convolutions.dropout": 0.0, "convolutions.depth": 3},
)  # fmt: skip
"""Those that speak of logarithms take values as they are where some are negative."""
