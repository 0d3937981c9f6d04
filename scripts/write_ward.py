"""The patients of `layerscope ward`: src/layerscope/ward/patients.json.gz.

python scripts/write_ward.py

Trains the nets of `plants.PLANTS`, some seconds, and keeps what their charts show, what was
planted, and what LayerScope's rules found.
"""

import gzip
import json
import logging
import math
import sys
from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))
from layerscope.commands.one_sentence_parser import OneSentenceParser  # noqa: E402
from layerscope.diagnose import Figures  # noqa: E402
from layerscope.lab.data import NamesData  # noqa: E402
from layerscope.whole_file import write_whole  # noqa: E402
from scripts.many_nets import Nets  # noqa: E402
from scripts.plants import DEPTH, PLANTS, STEPS, WIDTH, Plant  # noqa: E402
from scripts.playground_nets import network, sgd  # noqa: E402
from scripts.watched_nets import Batch, Watched, watch_alone, watch_together  # noqa: E402

FILE = ROOT / "src" / "layerscope" / "ward" / "patients.json.gz"
LR, KEPT_EVERY, NEAR = 0.1, 4, 2


def batches() -> list[Batch]:
    """256 examples a step: enough of them for a verdict on dead units."""
    data = NamesData(batch_size=256, shuffle_seed=0)
    data.setup()
    return [batch for batch, _ in zip(data.train_dataloader(), range(STEPS), strict=False)]


def patients(plants: Sequence[Plant]) -> list[dict[str, Any]]:
    """Those of one activation, a healthy one among them, trained as one stack."""
    activation = plants[0].activation

    def tamper(step: int, nets: Nets, when: str) -> None:
        for net, plant in enumerate(plants):
            plant(step, nets, net, when)

    steps = batches()
    healthy = next(plant for plant in plants if plant.disease == "healthy")
    alone = watch_alone(network(activation, DEPTH, WIDTH, healthy.gain, 0.0), steps, sgd(LR))
    stack = [network(activation, DEPTH, WIDTH, plant.gain, 0.0) for plant in plants]
    watched = watch_together(
        stack, steps, sgd(LR), alone.figures, lambda step: step % KEPT_EVERY == 0, tamper, 1
    )
    return [patient(*each) for each in zip(plants, watched, strict=True)]


def patient(plant: Plant, seen: Watched) -> dict[str, Any]:
    """What was planted, what the rules found of it, and the charts; numbers of three digits."""
    figures, shown = seen.figures, slice(1, DEPTH + 2)
    names = [facts.name for facts in figures.layers[shown]]
    layer = names[plant.layer - 1] if plant.layer else ""
    silent = figures["silent_units"] / figures["units"]
    charts = {
        "spread": _all_finite(figures, "activation_std", "activation"),
        "ends": figures["saturated"] if plant.activation == "tanh" else silent,
        "gradient": _all_finite(figures, "activation_grad_rms", "activation_grad"),
        "weight_gradient": _all_finite(figures, "weight_grad_rms", "weight_grad"),
        "update": figures["update_to_weight"],
    }
    here = [
        each
        for each in seen.findings
        if layer in (each.layer, *each.layer_names)
        and each.severity != "note"
        and abs(each.step - plant.step) <= NEAR
    ]
    buckets = seen.buckets[:, shown]
    most = np.maximum(buckets[..., 2].max(-1, keepdims=True), 1)
    counts = np.round(255 * np.sqrt(buckets[..., 2] / most)).astype(np.uint8)
    return {
        "disease": plant.disease,
        "activation": plant.activation,
        "layer": layer,
        "step": plant.step,
        "found": next((f.explanation for f in here if f.rule == plant.disease), ""),
        "also": [f.rule for f in here if f.rule != plant.disease],
        "layers": names,
        "charts": {name: _short(of[:, shown]) for name, of in charts.items()},
        "loss": _short(figures["loss"]),
        "edges": _short(np.stack([buckets[..., 0, 0], buckets[..., -1, 1]], -1)),
        "counts": b64encode(counts.tobytes()).decode("ascii"),
    }


def _all_finite(figures: Figures, name: str, quantity: str) -> Any:
    """A figure, NaN where it would leave out what is not finite."""
    return np.where(figures[f"{quantity}_nonfinite"] > 0, np.nan, figures[name])


def _short(values: Any) -> Any:
    if isinstance(values, np.ndarray):
        values = values.tolist()
    if isinstance(values, list):
        return [_short(each) for each in values]
    return float(f"{values:.3g}") if math.isfinite(values) else None


def main() -> int:
    """Write the file, and say what the rules found."""
    OneSentenceParser(description=__doc__.split("\n\n")[0]).parse_args()
    torch.set_num_threads(1)
    logging.getLogger("layerscope").setLevel(logging.ERROR)
    made = [
        each
        for activation in ("tanh", "relu")
        for each in patients([plant for plant in PLANTS if plant.activation == activation])
    ]
    text = json.dumps(made, separators=(",", ":"))
    write_whole(FILE, gzip.compress(text.encode(), 9, mtime=0))
    for each in made:
        told = each["found"] or "-"
        print(f"{each['disease']:20} {each['layer']:10} {each['step']:3}  {told}  {each['also']}")
    print(f"{FILE.relative_to(ROOT)}, {FILE.stat().st_size / 1e3:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
