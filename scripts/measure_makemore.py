"""The bugs of Karpathy's makemore lecture 3 one at a time, and its exercises, by measurement.

python scripts/measure_makemore.py          measures, some two minutes: makemore_part3.json and .md
python scripts/measure_makemore.py --page   writes the page again of makemore_part3.json

"Building makemore Part 3: Activations & Gradients, BatchNorm" (2022), youtu.be/P6sfmUTpUmc. The
net is that of experiment=makemore_part3; the exercises are in the video's description.
"""

import json
import sys
from math import log10, nan
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from layerscope.lab.data import NamesData
from layerscope.lab.mlp import MLP

sys.path.insert(0, str(Path(__file__).parents[1]))
from scripts.makemore_page import BATCH, IN_ORDER, ONE_AT_A_TIME, PLAIN, SEEDS, STEPS, page

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "docs" / "lesson"


class Run:
    """One net of experiment=makemore_part3, trained for `STEPS` steps.

    Args:
        overrides: of the experiment.
        seed: of weights and batches.
        data: set up.
        zero: whether every weight and bias starts at 0, the embedding's too.
    """

    def __init__(
        self, overrides: list[str], seed: int, data: NamesData, zero: bool = False
    ) -> None:
        with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
            cfg = compose("train", ["experiment=makemore_part3", *overrides])
        self.data = data
        self.net: MLP = instantiate(cfg.model, _convert_="all")(
            data.embedding_rows, data.context_length, data.embedding_rows
        )
        self.generator = torch.Generator().manual_seed(seed)
        instantiate(cfg.init, _convert_="all")(self.net, self.generator)
        if zero:
            for module in self.net.modules():
                if isinstance(module, nn.Embedding | nn.Linear):
                    for parameter in module.parameters():
                        nn.init.zeros_(parameter)
        self.outputs: list[Tensor] = []
        functions = [
            module for module in self.net.modules() if isinstance(module, nn.Tanh | nn.Identity)
        ]
        handles = [module.register_forward_hook(self._keep) for module in functions]
        self.before = {name: each.detach().clone() for name, each in self.net.named_parameters()}
        loss = self._loss()
        loss.backward()
        grads = [each.grad.square().mean().sqrt() for each in self.outputs if each.grad is not None]
        self.start = {
            "loss": loss.item(),
            "saturated": max((each.abs() > 0.97).float().mean().item() for each in self.outputs)
            if cfg.model.activation == "tanh"
            else nan,
            "gradient": (grads[0] / grads[-1]).item() if grads[-1] > 0 else nan,
        }
        for handle in handles:
            handle.remove()
        self.ratios: list[float] = []
        self._train(cfg.optimizer.lr)

    def _keep(self, _module: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> None:
        output.retain_grad()
        self.outputs.append(output)

    def _loss(self) -> Tensor:
        loader = self.data.train_dataloader()
        at = torch.randint(len(loader.y), (BATCH,), generator=self.generator)
        return cross_entropy(self.net(loader.x[at]), loader.y[at])

    def _train(self, lr: float) -> None:
        optimizer = torch.optim.SGD(self.net.parameters(), lr=lr)
        weights = [m.weight for m in self.net.modules() if isinstance(m, nn.Linear)][1:-1]
        for step in range(STEPS):
            optimizer.zero_grad()
            self._loss().backward()
            if step >= STEPS - 100:  # the lecture's update:data, of the hidden weights
                self.ratios += [
                    log10(max(lr * float(w.grad.std() / w.detach().std()), 1e-30))
                    for w in weights
                    if w.grad is not None and w.std() > 0
                ]
            optimizer.step()

    @torch.no_grad()
    def end(self, net: nn.Module | None = None) -> float:
        """The loss on 8,192 validation examples, in evaluation mode."""
        net = (net or self.net).eval()
        loader = self.data.val_dataloader()
        return cross_entropy(net(loader.x[:8192]), loader.y[:8192]).item()


def folded(net: MLP) -> nn.Sequential:
    """E02: the network without its batch norms, which the weights before them have taken in."""
    parts: list[nn.Module] = []
    for module in net:
        if isinstance(module, nn.BatchNorm1d):
            linear = parts[-1]
            assert isinstance(linear, nn.Linear)
            assert module.running_mean is not None
            assert module.running_var is not None
            scale = module.weight / (module.running_var + module.eps).sqrt()
            new = nn.Linear(linear.in_features, linear.out_features)
            new.weight.data = linear.weight * scale[:, None]
            new.bias.data = (linear.bias - module.running_mean) * scale + module.bias
            parts[-1] = new
        else:
            parts.append(module)
    return nn.Sequential(*parts)


def measured() -> dict[str, Any]:
    """All that the page has, as plain numbers; prints a line for each net."""
    torch.set_num_threads(1)
    data = NamesData()
    data.setup()
    told: dict[str, Any] = {"torch": torch.__version__.partition("+")[0], "rows": {}}
    for name, overrides in {**IN_ORDER, **ONE_AT_A_TIME}.items():
        runs = [Run(overrides, seed, data) for seed in SEEDS]
        told["rows"][name] = {
            "start": [run.start["loss"] for run in runs],
            "saturated": [run.start["saturated"] for run in runs],
            "gradient": [run.start["gradient"] for run in runs],
            "update": [float(np.mean(run.ratios)) for run in runs],
            "end": [run.end() for run in runs],
        }
        print(f"{name}: {np.mean(told['rows'][name]['end']):.3f}", flush=True)
    zero = Run([PLAIN], 0, data, zero=True)
    told["zero"] = {
        "start": zero.start["loss"],
        "end": zero.end(),
        "moved": [
            name
            for name, each in zero.net.named_parameters()
            if not torch.equal(each, zero.before[name])
        ],
        "of": len(zero.before),
    }
    counts = torch.bincount(data.train_dataloader().y, minlength=27).double()
    shares = counts / counts.sum()
    told["frequencies"] = float(-(shares * shares.log()).sum())
    normed = Run([], 0, data)
    before = normed.end()
    with torch.no_grad():
        contexts = data.val_dataloader().x[:8192]
        apart = (normed.net(contexts) - folded(normed.net).eval()(contexts)).abs().max().item()
    told["folded"] = {"before": before, "after": normed.end(folded(normed.net)), "apart": apart}
    return told


def main() -> int:
    """Exit code 2 for an argument that is none."""
    if sys.argv[1:] not in ([], ["--page"]):
        print(f"error: the only argument is --page, got {' '.join(sys.argv[1:])}", file=sys.stderr)
        return 2
    file = FOLDER / "makemore_part3.json"
    FOLDER.mkdir(exist_ok=True)
    if not sys.argv[1:]:
        file.write_text(json.dumps(measured()) + "\n")
    (FOLDER / "makemore_part3.md").write_text(page(json.loads(file.read_text())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
