"""Limits of a search by a word."""

from __future__ import annotations

from typing import Any

from netwright.errors import InputError

PRESETS: dict[str, dict[str, Any]] = {
    "tiny": {"max_trials": 4, "time_limit": 30.0},
    "quick": {"time_limit": 60.0},
    "balanced": {"time_limit": 600.0},
    "best": {"time_limit": 3600.0},
}
"""Limits by a word, for a search that is given none."""


def limits(
    preset: str | None, time_limit: float | str | None = None, max_trials: int | None = None
) -> tuple[float | str | None, int | None]:
    """The time limit and the number of trials: those that were given, or else those of the preset.

    InputError for a word that is none of :data:`PRESETS`.
    """
    if preset is None:
        return time_limit, max_trials
    if preset not in PRESETS:
        raise InputError(f"no preset is called '{preset}'", hint=f"Presets are {', '.join(PRESETS)}")
    if time_limit is not None or max_trials is not None:
        return time_limit, max_trials
    return PRESETS[preset].get("time_limit"), PRESETS[preset].get("max_trials")
