"""Where a fit's steps go: the sinks that were asked for, in the runs of the trainer's loggers."""

from collections.abc import Sequence

import lightning.pytorch as pl
from lightning.pytorch.loggers import MLFlowLogger, WandbLogger

from layerscope.sinks import MlflowSink, Sink, WandbSink
from layerscope.sinks.named import made

_AXIS = "trainer/global_step"
"""The x axis that WandbLogger gives to its charts."""


def sinks_of(trainer: pl.Trainer, asked: Sequence[Sink | str] | None, *, leads: bool) -> list[Sink]:
    """The sinks of a fit: on rank 0, which alone has the loggers' runs; of others none.

    A sink for W&B or MLflow that was told of no run logs to that of the trainer's logger. Where
    nothing was asked for, each logger of these two gets a sink.

    Args:
        asked: the setting `sinks`.
        leads: whether no other monitor of the trainer comes before, whose charts would mix.
    """
    if not trainer.is_global_zero or trainer.fast_dev_run:  # type: ignore[attr-defined]
        return []
    loggers = trainer.loggers
    weights_and_biases = next((each for each in loggers if isinstance(each, WandbLogger)), None)
    mlflow = next((each for each in loggers if isinstance(each, MLFlowLogger)), None)
    if asked is None:
        wanted: list[Sink | str] = ["wandb"] * (weights_and_biases is not None)
        wanted += ["mlflow"] * (mlflow is not None)
        asked = wanted if leads else []
    sinks = []
    for sink in made(asked):
        if isinstance(sink, WandbSink) and not sink.is_bound and weights_and_biases is not None:
            sink = sink.bound_to(weights_and_biases.experiment, _AXIS)
        elif isinstance(sink, MlflowSink) and not sink.is_bound and mlflow is not None:
            assert mlflow.run_id is not None  # which asking for makes
            sink = sink.bound_to(mlflow.run_id, mlflow._tracking_uri)
        sinks.append(sink)
    return sinks
