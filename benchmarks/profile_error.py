"""How far a profile of latencies is from whole networks, on this host.

``python benchmarks/profile_error.py [--spaces compact,mobile] [--on onnxruntime,torch] [--networks 48] [--seconds 60]``

compact is ``compact-images`` for 28×28 grey pixels; mobile is ProxylessNAS with two blocks a stage for 64×64 pixels in
colour. For each space and runtime a profile is made, and three errors are printed, each with the median and the 95th
percentile of relative errors and Kendall's τ: of bare sums of kernels; of the profile by its own account (each network
predicted from others); and on fresh networks, drawn and timed afterwards. How busy the machine was is printed, too: the
times of a busy machine are less certain; their intervals say by how much. Two timings of the same networks differ by
themselves; what the fresh ones are predicted by is to be read beside that, the last line.
"""

from __future__ import annotations

import argparse
import os
import time

import numpy as np
import torch

import netwright as nw
from netwright import zoo
from netwright.costs import Profile, profiling
from netwright.costs.profiles import Error
from netwright.costs.runtimes import Place
from netwright.costs.timing import in_rounds
from netwright.zoo import proxyless

SPACES = {
    "compact": (lambda: zoo.SPACES["compact-images"].space(input_shape=(1, 28, 28), classes=10), (1, 28, 28)),
    "mobile": (lambda: proxyless.space(input_shape=(3, 64, 64), classes=10, blocks=2), (3, 64, 64)),
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--spaces", default="compact,mobile")
    parser.add_argument("--on", default="onnxruntime,torch")
    parser.add_argument("--networks", type=int, default=48)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--fresh", type=int, default=24)
    given = parser.parse_args()
    torch.set_num_threads(1)
    for name in given.spaces.split(","):
        make, shape = SPACES[name]
        for on in given.on.split(","):
            space, began = make(), time.monotonic()
            made = profiling.profile(space, shape, on=on, networks=given.networks, seconds=given.seconds)
            print(f"\n{name} on {made.host['on']}, {made.host['processor']}: {len(made.kernels)} kernels")
            print(
                f"  {time.monotonic() - began:.0f} s; load {made.host['load']} before, {os.getloadavg()[0]:.2f} after"
            )
            widths = [(timing.high - timing.low) / timing.median for timing in made.kernels.values()]
            times = [whole.timing.median for whole in made.wholes]
            print(f"  whole networks {min(times):.3f} to {max(times):.3f} ms")
            print(f"  95 % intervals of kernels are {100 * np.median(widths):.0f} % of their median wide (median)")
            print(f"  sums of kernels   {made.error_of_sums}")
            print(f"  by its own account {made.error}")
            fresh(made, space, given.fresh, given.seconds / 3)


def fresh(made: Profile, space: nw.SearchSpace, count: int, seconds: float) -> None:
    """Networks that the profile has not learned from, timed twice."""
    rng = np.random.default_rng(7)
    known = {whole.architecture for whole in made.wholes}
    drawn = [a for a in dict.fromkeys(space.sample(rng) for _ in range(4 * count)) if a not in known][:count]
    place = Place.read(str(made.host["on"]))
    inputs = (torch.zeros(made.batch, *made.space["input_shape"]),)
    with place.runtime.running(place.number):
        programs = [place.runtime.program(space.build(each).eval(), inputs, place.number) for each in drawn]
        once, again = ([t.median for t in in_rounds(programs, seconds=seconds)] for _ in range(2))
    predicted = [made(space, each) for each in drawn]
    print(f"  on fresh networks {Error.between(predicted, once)} (load {os.getloadavg()[0]:.2f})")
    # What all have in common is the machine, not the profile.
    level = float(np.median(np.array(once) / predicted))
    level_free = Error.between(np.array(predicted) * level, once)
    print(f"    they took {level:.2f} times as long as predicted (median); without that {level_free}")
    print(f"  two timings of these {Error.between(once, again)}", flush=True)


if __name__ == "__main__":
    main()
