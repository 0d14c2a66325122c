"""Forecasts of several series at once: how many people ride Chicago's buses and trains in the next two weeks.

The file is cta_ridership_daily.csv.gz of github.com/ageron/data (City of Chicago, open data); in the folder
$NETWRIGHT_DATA/time_series it is taken from there. Without it, two series with a week in them are made up.

python examples/forecasting.py [TIME]
"""

import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd

import netwright as nw

file = Path(os.environ.get("NETWRIGHT_DATA", ".")) / "time_series" / "cta_ridership_daily.csv.gz"
if file.exists():
    frame = pd.read_csv(file).rename(columns={"service_date": "date", "rail_boardings": "rail"})
    frame["date"] = pd.to_datetime(frame["date"])
    frame = frame.drop_duplicates("date").sort_values("date").query("'2016' <= date < '2020'")
else:
    print(f"{file} is not there: two series are made up")
    rng = np.random.default_rng(0)
    days = np.arange(400)
    week = 10 * np.isin(days % 7, (5, 6))
    frame = pd.DataFrame({"date": pd.date_range("2018-01-01", periods=400), "bus": 50 - week + rng.normal(size=400)})
    frame["rail"] = 30 - 0.5 * week + 0.01 * days + rng.normal(size=400)

# What will be known in advance helps: here the weekday, as numbers that go round.
weekday = 2 * np.pi * frame["date"].dt.day_of_week / 7
frame = frame.assign(sine=np.sin(weekday), cosine=np.cos(weekday))
past, ahead = frame[:-14], frame.assign(bus=frame["bus"].where(frame.index < frame.index[-14]))
ahead["rail"] = ahead["rail"].where(frame.index < frame.index[-14])

search = nw.TimeSeriesForecaster(
    horizon=14, known=["sine", "cosine"], time_limit=sys.argv[1] if len(sys.argv) > 1 else "60s"
)
search.fit(past, target=["bus", "rail"])

print(search.study_.text_of_verdict)
print(f"a season of {search.season_} days, {search.lookback_} days looked back on")
print(search.predict(ahead).head())
print("mean absolute scaled error of these two weeks:", round(-search.score(frame), 3))
