"""Folders of runs as the monitor writes them, made up: inits, activations and seeds."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from layerscope.diagnose.measured.figure_names import STEP_COLUMN
from layerscope.diagnose.measured.figures import Figures
from layerscope.diagnose.measured.layer_facts import LayerFacts
from layerscope.events.encoders import HistogramEncoder, ScalarEncoder
from layerscope.events.event_file import EventFile
from layerscope.events.summaries import PLUGIN, document
from layerscope.sinks.figures_event import FiguresEncoder
from layerscope.theory import mlp, predict
from layerscope.theory.prediction_summary import PredictionSummary

HOSTILE = "</script><script>alert(1)</script><!--<img src=x onerror=alert(2)>&amp;'\"{{ 7*7 }}%{x}"
"""A name that would do harm wherever it is not escaped: in HTML, scripts, templates and charts."""

SIGMA_W2 = {"random": 30.0, "small": 0.3, "kaiming": 2.0, "xavier": 1.0, "critical": 1.05}
_LOSS = {"random": 2.45, "small": 2.40, "kaiming": 2.08, "xavier": 2.12, "critical": 2.10}
_MORE = {"tanh": 0.0, "relu": 0.03, "leaky_relu": 0.004}


@dataclass(frozen=True)
class Made:
    """One run to be made up."""

    init: str = "kaiming"
    activation: str = "tanh"
    seed: int = 0
    steps: int = 60
    depth: int = 5
    histograms_every: int = 1
    diagnosed: bool = True
    predicted: bool = True
    moving: bool = False  # whether the histograms change from step to step

    @property
    def overrides(self) -> list[str]:
        return [f"init={self.init}", f"model.activation={self.activation}", f"seed={self.seed}"]

    def write(self, folder: Path) -> Path:
        """Write the run into a folder of its own name below, and return that."""
        run = folder / ",".join(self.overrides)
        run.mkdir(parents=True)
        hydra = run / ".hydra"
        hydra.mkdir()
        hydra.joinpath("overrides.yaml").write_text("".join(f"- {o}\n" for o in self.overrides))
        hydra.joinpath("config.yaml").write_text(f"seed: {self.seed}\n")
        hydra.joinpath("hydra.yaml").write_text("hydra:\n  job:\n    name: train\n")
        figures = self.figures()
        with EventFile(run) as events:
            self._add(events, figures)
        loss = self.loss(self.steps)
        status = {"state": "finished", "reason": None, "val/loss": loss, "seconds": 12.0}
        versions = {"python": "3.11.9", "torch": "2.13.0", "layerscope": "0.1.0"}
        status |= {"steps": self.steps, "versions": versions, "overrides": self.overrides}
        run.joinpath("status.json").write_text(json.dumps(status))
        if self.diagnosed:
            diagnosis = {"schema": 3, "steps": [], "findings": self.findings()}
            run.joinpath("diagnosis.json").write_text(json.dumps(diagnosis))
        return run

    def layers(self) -> list[LayerFacts]:
        bounds = (-1.0, 1.0) if self.activation == "tanh" else None
        return [
            LayerFacts("00_embedding", "0", "Embedding", 0),
            *(
                LayerFacts(
                    f"{n:02d}_{self.activation}", str(n), self.activation.title(), n,
                    self.activation, bounds, self.activation == "tanh", self.activation == "relu",
                )
                for n in range(1, self.depth + 1)
            ),
            LayerFacts(f"{self.depth + 1:02d}_logits", "9", "Linear", self.depth + 1, last=True),
        ]  # fmt: skip

    def loss(self, step: npt.ArrayLike) -> Any:
        draw = np.random.default_rng([self.seed, *f"{self.init}{self.activation}".encode()]).normal(
            0, 0.008
        )
        final = _LOSS[self.init] + _MORE[self.activation] + draw
        return final + (3.3 - final) * np.exp(-6 * np.asarray(step) / self.steps)

    def figures(self) -> Figures:
        rng = np.random.default_rng(self.seed)
        layers = self.layers()
        f = Figures.empty(layers, range(self.steps))
        progress = np.arange(self.steps)[:, None] / self.steps
        predicted = self.prediction().activation_grad
        profile = np.array([predicted[0], *predicted, 0.6]) * rng.lognormal(0, 0.08, len(layers))
        f["activation_grad_rms"][:] = (
            1e-4
            * profile
            * (1 - 0.4 * progress)
            * np.exp(rng.normal(0, 0.06, (self.steps, len(layers))))
        )
        share = {"random": 0.75, "small": 0.0, "kaiming": 0.08, "xavier": 0.02, "critical": 0.015}
        inner = [i for i, each in enumerate(layers) if each.nonlinearity]
        if self.activation == "tanh":
            depths = np.linspace(0.7, 1.1, len(inner))
            f["saturated"][:, inner] = np.minimum(
                share[self.init] * depths * (1 + 0.3 * progress), 1
            )
        f["activation_count"][:] = 32 * 100
        f["activation_mean"][:] = rng.normal(0, 0.01, (self.steps, len(layers)))
        f["activation_std"][:] = 0.4 + 0.4 * share[self.init] + 0.1 * progress
        f["units"][:] = 100
        died = 30 * progress * (self.activation == "relu") * (self.init == "random")
        f["dead_units"][:, inner] = np.floor(died)
        f["update_to_weight"][::10] = 10 ** rng.normal(-3, 0.1, f["update_to_weight"][::10].shape)
        f.of_steps[:, STEP_COLUMN["loss"]] = self.loss(np.arange(self.steps))
        return f

    def findings(self) -> list[dict[str, Any]]:
        if self.init not in ("random", "small"):
            return []
        sick = f"01_{self.activation}"
        if self.init == "small" or self.activation != "tanh":
            rule, value, limit = "vanishing gradient", 0.6, 0.8
        else:
            rule, value, limit = "saturated", 0.75, 0.2
        return [
            {
                "rule": rule, "severity": "critical", "layer": sick, "step": 0,
                "layers": self.depth, "layer_names": [each.name for each in self.layers()[1:-1]],
                "last_step": self.steps - 1, "steps": self.steps, "value": value, "worst": value,
                "threshold": limit,
                "source": "the course, day 11", "explanation": f"{sick} passes no gradient on.",
                "remedy": "init=kaiming",
            }
        ]  # fmt: skip

    def _add(self, events: EventFile, figures: Figures) -> None:
        encoder = FiguresEncoder(figures.layers)
        names = [each.name for each in figures.layers]
        tags = [
            f"{quantity}/{name}"
            for quantity in ("activation", "activation_grad", "activation_grad_log10")
            for name in names
        ]
        histograms = HistogramEncoder(tags, [""] * len(tags))
        buckets = self._buckets(figures)
        train = ScalarEncoder(["train/loss"], [""])
        valid = ScalarEncoder(["val/loss"], [""])
        noise = np.random.default_rng(self.seed).normal(0, 0.05, self.steps)
        for i, step in enumerate(figures.steps.tolist()):
            values = encoder.encode_steps(figures.of_layers[[i]], figures.of_steps[[i]])[0]
            if i == 0 and self.predicted:
                content = json.dumps(self.prediction().as_json())
                values.append(document(f"{PLUGIN}/prediction", content, PLUGIN))
            if step % self.histograms_every == 0:
                values += histograms.encode(np.roll(buckets, i, axis=1) if self.moving else buckets)
            values += train.encode(np.array([self.loss(step) + noise[i]], np.float32))
            if (step + 1) % max(self.steps // 10, 1) == 0:
                values += valid.encode(np.array([self.loss(step + 1)], np.float32))
            events.add(step, values, 1.0)

    def prediction(self) -> PredictionSummary:
        sizes = [30] + [100] * self.depth
        return PredictionSummary.of(predict(mlp(sizes, self.activation, SIGMA_W2[self.init], 1e-3)))

    def _buckets(self, figures: Figures) -> npt.NDArray[Any]:
        """Of every tag one histogram, float32 [tags, 30, 3]."""
        rng = np.random.default_rng(self.seed)
        made = []
        for i, facts in enumerate(figures.layers):
            draw = rng.standard_normal(3200)
            if facts.nonlinearity == "tanh":
                draw = np.tanh(draw * np.sqrt(SIGMA_W2[self.init]))
            elif facts.nonlinearity == "relu":
                draw = np.maximum(draw, 0)
            made.append(draw)
            figures["activation_std"][0, i] = draw.std()
        size = figures["activation_grad_rms"][0]
        gradients = [rng.standard_normal(3200) * rms for rms in size]
        logs = [np.log10(np.abs(each)) for each in gradients]
        return np.stack([_histogram(each) for each in [*made, *gradients, *logs]])


def _histogram(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    counts, edges = np.histogram(values, 30)
    return np.stack([edges[:-1], edges[1:], counts], axis=1).astype(np.float32)


def write_sweep(
    folder: Path,
    inits: Sequence[str] = ("random", "kaiming"),
    activations: Sequence[str] = ("tanh",),
    seeds: Sequence[int] = (0, 1, 2),
    **rest: Any,
) -> Path:
    """Write the runs of a sweep; the folder."""
    for init in inits:
        for activation in activations:
            for seed in seeds:
                Made(init, activation, seed, **rest).write(folder)
    return folder
