"""Trains the network of model.py again, from scratch, by the recipe that it was found with.

    python train.py DATA [--target COLUMN] [--test DATA] [--epochs N] [--seed N] [--out trained]

DATA is an .npz file with X and y, a folder with one sub-folder of images a class, or for a table a .csv file with the
column of what is to be predicted. They are prepared as in the search, by the constants in manifest.json. The folder
that is written is like this one, with the new weights; nothing here is changed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import re
import shutil
import sys
from pathlib import Path
from typing import Any

# Also where Python was told to look at nothing of the user's (python -I).
sys.path.insert(0, str(Path(__file__).resolve().parent))

import numpy as np
import predict
import torch
from model import Network
from predict import HERE, Refused
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

RECIPE: dict[str, Any] = {}

# Parameters that model.py makes otherwise than the space did, by name: the mean and the deviation that they had there.
INITIAL: dict[str, tuple[float, float]] = {}


def main() -> int:
    parser = argparse.ArgumentParser(description="Trains the network of this folder again, from scratch.")
    parser.add_argument("data", metavar="DATA", help="an .npz with X and y, a folder of images by class, or a .csv")
    parser.add_argument("--target", help="the column of a table that is to be predicted")
    parser.add_argument("--test", metavar="DATA", help="data of the same kind to judge the network on")
    parser.add_argument("--epochs", type=int, default=RECIPE["epochs"])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--out", default="trained", help="the folder to write, a new one")
    arguments = parser.parse_args()
    try:
        out = Path(arguments.out)
        if out.exists():
            raise Refused(f"{out} exists already: name a new folder with --out")
        if arguments.epochs < 1:
            raise Refused(f"--epochs is at least 1, found {arguments.epochs}")
        device_of(arguments.device)
        X, y = read(arguments.data, arguments.target)
        test = read(arguments.test, arguments.target) if arguments.test else None
        torch.manual_seed(arguments.seed)
        network = initialised(Network())
        center, scale = 0.0, 1.0
        if y.is_floating_point():
            center, scale = float(y.mean()), float(y.std()) or 1.0
        fit(network, X, (y - center) / scale if y.is_floating_point() else y, arguments)
        for name, rows in (("training", (X, y)), ("test", test)):
            if rows is not None:
                print(f"{name}: {score(network, *rows, center, scale)} on {len(rows[0]):,} rows")
        write(out, network, center, scale)
    except Refused as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"wrote {out}")
    return 0


def read(path: str, column: str | None) -> tuple[Tensor, Tensor]:
    """Prepared inputs, and the codes of classes or numbers in their own unit."""
    target = predict.about()["preprocessing"]["target"]
    source = Path(path)
    kind = predict.about()["preprocessing"]["kind"]
    if kind == "language":
        return windows(predict.read([path]))
    if kind in ("forecast", "several") or "labels" in target or "heads" in target:
        what = "forecasts" if kind == "forecast" else "several inputs, labels or targets at once"
        raise Refused(f"this script trains for classes, numbers and texts to go on with, not for {what}")
    if source.is_dir():
        named = {"text": {".txt"}, "audio": {".wav"}}.get(kind, predict.IMAGES)
        files = sorted(each for each in source.glob("*/*") if each.suffix.lower() in named)
        raw, labels = predict.read([str(each) for each in files]) if files else None, [f.parent.name for f in files]
        if raw is None:
            found = {"text": "texts", "audio": "sounds"}.get(kind, "images")
            raise Refused(f"{source} has no sub-folders of {found}")
    elif source.suffix.lower() == ".npz":
        raw, labels = arrays(source)
    else:
        raw = predict.read([path])
        column = column or target["name"]
        if not isinstance(raw, dict) or column not in raw:
            raise Refused(f"which column of {source} is to be predicted? Name it: --target COLUMN")
        labels = raw[column]
    inputs = torch.from_numpy(predict.prepare(raw))
    if len(inputs) != len(labels) or not labels:
        raise Refused(f"{source} has {len(inputs):,} rows and {len(labels):,} answers")
    if "classes" not in target:
        return inputs, torch.tensor(numbers(labels), dtype=torch.float32)
    codes = {str(name): code for code, name in enumerate(target["classes"])}
    unknown = [value for value in labels if str(value) not in codes]
    if unknown:
        raise Refused(f"{unknown[0]!r} is no class of this network: {', '.join(list(codes)[:8])}")
    return inputs, torch.tensor([codes[str(value)] for value in labels])


def windows(text: str) -> tuple[Tensor, Tensor]:
    """The windows of a text, and the token after each of theirs."""
    constants = predict.about()["preprocessing"]["inputs"]
    numbers, window = torch.tensor(predict.tokens_of(text, constants)), constants["window"]
    count = (len(numbers) - 1) // window
    if count < 1:
        raise Refused(f"the text has {len(numbers):,} tokens, expected more than {window}")
    X, y = numbers[: count * window], numbers[1 : count * window + 1]
    return X.reshape(count, window).float(), y.reshape(count, window)


def arrays(source: Path) -> tuple[Any, list[Any]]:
    """X and y of an .npz file."""
    try:
        with np.load(source, allow_pickle=False) as archive:
            found = {name: archive[name] for name in archive.files}
    except Exception as error:
        raise Refused(f"{source} cannot be read: {error}") from None
    X = next((found[name] for name in ("X", "X_train", "x", "x_train") if name in found), None)
    y = next((found[name] for name in ("y", "y_train") if name in found), None)
    if X is None or y is None or y.ndim != 1:
        raise Refused(f"{source} has no arrays X and y, a row and an answer for each example")
    return X, y.tolist()


def numbers(labels: list[Any]) -> list[float]:
    """What is to be predicted, as numbers; with decimal commas where all are so, and not all are whole thousands."""
    texts = [str(value).strip() for value in labels]
    commas = [text for text in texts if "," in text]
    whole = all(re.fullmatch(r"[+-]?[1-9]\d{0,2},\d{3}", text) for text in commas)
    if not whole and all(re.fullmatch(r"[+-]?\d*,?\d+", text) for text in texts):
        texts = [text.replace(",", ".") for text in texts]
    try:
        found = [float(text) for text in texts]
    except ValueError as error:
        raise Refused(f"what is to be predicted are numbers here: {error}") from None
    if not all(map(math.isfinite, found)):
        raise Refused("what is to be predicted holds NaN or infinity")
    return found


def device_of(name: str) -> torch.device:
    """The device, after a first tensor there."""
    try:
        return torch.zeros(1, device=name).device
    except (AssertionError, RuntimeError, NotImplementedError) as error:
        raise Refused(f"--device {name} is not here: {str(error).splitlines()[0]}") from None


def initialised(network: nn.Module) -> nn.Module:
    """The network with fresh weights, also where they are plain parameters, which model.py makes blank."""
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name in INITIAL:
                mean, deviation = INITIAL[name]
                parameter.normal_(mean, deviation) if deviation else parameter.fill_(mean)
    return network


def fit(network: nn.Module, X: Tensor, y: Tensor, arguments: argparse.Namespace) -> None:
    """Trains in place; a line an epoch on standard error."""
    device = device_of(arguments.device)
    network.to(device)
    X, y = X.to(device), y.to(device)
    size = RECIPE["batch_size"]
    # A last batch of a single row is left out: a norm over the batch could not take it.
    per_epoch = max(1, len(X) // size + (len(X) % size > 1))
    steps, step = arguments.epochs * per_epoch, 0
    optimizer = make_optimizer(network)
    shuffle = torch.Generator().manual_seed(arguments.seed)
    noise = torch.Generator(device).manual_seed(arguments.seed + 1)
    network.train()
    for epoch in range(1, arguments.epochs + 1):
        order = torch.randperm(len(X), generator=shuffle).to(device)
        total = 0.0
        for batch in order.split(size)[:per_epoch]:
            rate = learning_rate(step, steps)
            for group in optimizer.param_groups:
                group["lr"] = rate
            optimizer.zero_grad(set_to_none=True)
            outputs = network(augment(X[batch], noise))
            if y.is_floating_point():
                loss = functional.mse_loss(outputs.reshape(y[batch].shape), y[batch])
            else:
                loss = functional.cross_entropy(
                    outputs.movedim(-1, 1), y[batch], label_smoothing=RECIPE["label_smoothing"]
                )
            loss.backward()
            if RECIPE["clip"] is not None:
                nn.utils.clip_grad_norm_(network.parameters(), RECIPE["clip"])
            optimizer.step()
            step += 1
            total += float(loss.detach()) * len(batch)
        print(f"epoch {epoch} of {arguments.epochs}: loss {total / len(X):.4f}", file=sys.stderr)
    network.to("cpu").eval()


def make_optimizer(network: nn.Module) -> torch.optim.Optimizer:
    """Biases and norms without weight decay."""
    parameters = [each for each in network.parameters() if each.requires_grad]
    groups: list[dict[str, Any]] = [
        {"params": [each for each in parameters if each.dim() >= 2], "weight_decay": RECIPE["weight_decay"]},
        {"params": [each for each in parameters if each.dim() < 2], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    if RECIPE["optimizer"] == "adamw":
        return torch.optim.AdamW(groups, lr=RECIPE["lr"])
    momentum = RECIPE["momentum"]
    return torch.optim.SGD(groups, lr=RECIPE["lr"], momentum=momentum, nesterov=momentum > 0)


def learning_rate(step: int, steps: int) -> float:
    """One cycle: up over the first 30 % of the steps and down along a cosine; or the cosine alone, or constant."""
    peak, schedule = RECIPE["lr"], RECIPE["schedule"]

    def between(start: float, end: float, part: float) -> float:
        return float(end + (start - end) / 2 * (1 + math.cos(math.pi * part)))

    if schedule == "constant":
        return float(peak)
    if schedule == "cosine":
        return between(peak, 0.0, step / steps)
    summit, last = 0.3 * steps - 1, steps - 1
    if step <= summit:
        return between(peak / 25, peak, step / summit if summit > 0 else 1.0)
    return between(peak, peak / 25e4, (step - summit) / (last - summit) if last > summit else 0.0)


def augment(images: Tensor, noise: torch.Generator) -> Tensor:
    """What the recipe asks for, drawn for each image by itself."""
    chosen = RECIPE["augment"]
    if not chosen:
        return images
    count, _, height, width = images.shape
    device = images.device

    def draw(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=noise, device=device)

    if "crop" in chosen or "flip" in chosen:
        rows = torch.arange(height, device=device).expand(count, height)
        columns = torch.arange(width, device=device).expand(count, width)
        if "flip" in chosen:
            columns = torch.where(draw(count, 1) < 0.5, width - 1 - columns, columns)
        if "crop" in chosen and RECIPE["padding"]:
            most = RECIPE["padding"]
            shift = torch.randint(-most, most + 1, (2, count, 1), generator=noise, device=device)
            rows, columns = (rows + shift[0]).clamp(0, height - 1), (columns + shift[1]).clamp(0, width - 1)
        place = torch.arange(count, device=device)[:, None, None]
        images = images.permute(0, 2, 3, 1)[place, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
    if "affine" in chosen:
        angle, across, down, large, high, shear = (
            (draw(count) * 2 - 1) * (most * RECIPE["affine"]) for most in (math.radians(10), 0.25, 0.25, 0.1, 0.1, 0.1)
        )
        cosine, sine = angle.cos() * (1 + large), angle.sin() * (1 + large)
        first = torch.stack([cosine, shear - sine, across], 1)
        second = torch.stack([sine * (1 + high), cosine * (1 + high), down], 1)
        grid = functional.affine_grid(torch.stack([first, second], 1), list(images.shape), align_corners=False)
        darkest = images.amin((0, 2, 3), keepdim=True)
        images = functional.grid_sample(images - darkest, grid, align_corners=False) + darkest
    if "cutout" in chosen:
        side = max(1, round(RECIPE["cutout"] * min(height, width)))
        top = torch.randint(0, height, (count, 1), generator=noise, device=device) - side // 2
        left = torch.randint(0, width, (count, 1), generator=noise, device=device) - side // 2
        row, column = torch.arange(height, device=device), torch.arange(width, device=device)
        blank = ((row >= top) & (row < top + side))[:, :, None] & ((column >= left) & (column < left + side))[:, None]
        images = images.masked_fill(blank[:, None], 0.0)
    return images


@torch.no_grad()
def score(network: nn.Module, X: Tensor, y: Tensor, center: float, scale: float) -> str:
    """The accuracy, the perplexity, or R²."""
    outputs = torch.cat([network(part) for part in X.split(256)])
    if y.dim() == 2 and not y.is_floating_point():
        return f"perplexity {float(functional.cross_entropy(outputs.movedim(-1, 1), y).exp()):.4f}"
    if not y.is_floating_point():
        return f"accuracy {float((outputs.argmax(1) == y).double().mean()):.4f}"
    errors = (outputs.reshape(y.shape) * scale + center - y).square().sum()
    return f"R² {1 - float(errors / (y - y.mean()).square().sum()):.4f}"


def write(out: Path, network: nn.Module, center: float, scale: float) -> None:
    """A folder like this one, with the new weights and their hash."""
    manifest = predict.manifest()
    out.mkdir(parents=True)
    for name in manifest["files"]:
        if name not in ("weights.safetensors", "card.md"):
            shutil.copyfile(HERE / name, out / name)
    weights = out / "weights.safetensors"
    save_file({name: value.contiguous().clone() for name, value in network.state_dict().items()}, weights)
    content = weights.read_bytes()
    manifest["files"].pop("card.md", None)
    manifest["files"]["weights.safetensors"] = {
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    target = manifest["extra"]["preprocessing"]["target"]
    if "mean" in target:
        # An output times the deviation plus the mean is the number that is predicted.
        target.update(mean=center, std=scale)
    (out / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
