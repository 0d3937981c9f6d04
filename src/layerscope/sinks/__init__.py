"""Where a step goes: TensorBoard's files in any case, and what is named here if it is asked for."""

from layerscope.sinks.csv import CsvSink
from layerscope.sinks.mlflow import MlflowSink
from layerscope.sinks.parquet import ParquetSink
from layerscope.sinks.sink import Histogram, Sink, StepRecord
from layerscope.sinks.trackio import TrackioSink
from layerscope.sinks.wandb import WandbSink

__all__ = [
    "CsvSink",
    "Histogram",
    "MlflowSink",
    "ParquetSink",
    "Sink",
    "StepRecord",
    "TrackioSink",
    "WandbSink",
]
