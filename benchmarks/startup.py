"""How long ``netwright --help`` and ``import netwright`` take, in processes of their own.

``python benchmarks/startup.py [REPEATS]``; aims: help at most 0.5 s, the import at most 0.3 s beyond torch's.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

BEYOND = "import time, torch; began = time.perf_counter(); import netwright; print(time.perf_counter() - began)"

COMMANDS = {
    "python (nothing)": ["-c", "pass"],
    "import netwright": ["-c", "import netwright"],
    "netwright --help": ["-m", "netwright", "--help"],
}


def main(repeats: int) -> None:
    """Interleaves the commands and prints the median of each."""
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(repeats):
        for name, arguments in COMMANDS.items():
            began = time.perf_counter()
            subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
            times[name].append(time.perf_counter() - began)
    medians = {name: statistics.median(values) for name, values in times.items()}
    for name, median in medians.items():
        print(f"{name:<24} {median:6.3f} s  (best {min(times[name]):.3f} s)")
    beyond = subprocess.run([sys.executable, "-c", BEYOND], check=True, capture_output=True, text=True).stdout
    print(f"{'import, torch there':<24} {float(beyond):6.3f} s")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 7)
