"""The sinks that a name stands for: `sinks=["csv", "wandb"]`."""

from collections.abc import Callable, Mapping, Sequence

from layerscope.sinks.csv import CsvSink
from layerscope.sinks.mlflow import MlflowSink
from layerscope.sinks.parquet import ParquetSink
from layerscope.sinks.sink import Sink
from layerscope.sinks.trackio import TrackioSink
from layerscope.sinks.wandb import WandbSink

_BY_NAME: Mapping[str, Callable[[], Sink]] = {
    "csv": CsvSink,
    "mlflow": MlflowSink,
    "parquet": ParquetSink,
    "trackio": TrackioSink,
    "wandb": WandbSink,
}


def made(sinks: Sequence[Sink | str] | None) -> list[Sink]:
    """The sinks, those that are named made with their defaults.

    Raises:
        ModuleNotFoundError: the library of one is not installed.
        ValueError: something else stands among them.
    """
    if sinks is None:
        return []
    if isinstance(sinks, str) or not isinstance(sinks, Sequence):
        raise ValueError(f"sinks must be a list of sinks, got {sinks!r}")
    for each in sinks:
        if not (isinstance(each, Sink) or (isinstance(each, str) and each in _BY_NAME)):
            raise ValueError(
                f"sinks must hold instances of layerscope.sinks.Sink or names among "
                f"{', '.join(_BY_NAME)}, got {each!r}"
            )
    return [_BY_NAME[each]() if isinstance(each, str) else each for each in sinks]
