"""A space of one's own: an ordinary network in which a few words mark what is open, searched by a study.

The learning rate is a decision of the same space. Run it again, and it goes on where it stopped.

python examples/own_space.py [TRIALS]
"""

import sys

from torch import nn

import netwright as nw


def conv(inputs, outputs, kernel):
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()
    )


class Net(nn.Module):
    def __init__(self, input_shape, classes):
        super().__init__()
        width = nw.choose("width", 8, 16, 24)
        nw.choose("recipe.lr", low=0.01, high=0.3, log=True)
        self.stem = conv(input_shape[0], width, 3)
        self.body = nw.repeat(
            "depth",
            lambda i: nw.one_of(
                f"op{i}",
                conv3=lambda: conv(width, width, 3),
                conv5=lambda: conv(width, width, 5),
                skip=nn.Identity,
            ),
            1,
            3,
        )
        self.head = nn.Linear(width, classes)

    def forward(self, x):
        return self.head(self.body(self.stem(x)).mean((2, 3)))


data = nw.tasks.read("digits").data
train = nw.evaluators.Train(data, split=nw.training.split(data.y, seed=0), epochs=2)
space = nw.SearchSpace(Net, input_shape=data.input_shape, classes=data.outputs)
print(f"{space.size} architectures")

study = nw.Study(
    space,
    nw.strategies.Evolution(population=6, tournament=3),
    train,
    maximize="val_accuracy",
    constraints={"params": 2e4},
    store="runs/own-space",
    seed=0,
)
study.run(max_trials=int(sys.argv[1]) if len(sys.argv) > 1 else 20, n_jobs=2)

for trial in study.trials:
    print(trial.number, trial.state, trial.metrics.get("val_accuracy"), trial.architecture)
print("best:", study.best.number, study.best.architecture)
print("built of torch alone:", study.network())
