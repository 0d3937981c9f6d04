"""The file of a W&B run that was written offline: LevelDB's log format of protobufs."""

import json
import time
from pathlib import Path

_BLOCK, _HEADER = 32768, 7


def _records(path):
    from wandb.proto import wandb_internal_pb2  # this file is looked through without it too

    content, at, whole = path.read_bytes(), _HEADER, b""  # after the file's own header
    while at + _HEADER <= len(content):
        left = _BLOCK - at % _BLOCK
        if left < _HEADER:
            at += left
            continue
        length, kind = int.from_bytes(content[at + 4 : at + 6], "little"), content[at + 6]
        whole += content[at + _HEADER : at + _HEADER + length]
        at += _HEADER + length
        if kind in (1, 4):  # in one piece, or the last of its pieces
            record = wandb_internal_pb2.Record()
            record.ParseFromString(whole)
            whole = b""
            yield record


class RunFile:
    """A run that is finished, as its file has it.

    Attributes:
        rows: its history: (step, values by name).
        alerts: (title, level) of each.
        axes: the x axis of each metric that was given one.
        summary: the last of each value.
    """

    def __init__(self, folder):
        (path,) = Path(folder).glob("wandb/offline-run-*/run-*.wandb")
        deadline = time.monotonic() + 60
        while not any(each.HasField("exit") for each in _records(path)):  # W&B's process writes it
            assert time.monotonic() < deadline
            time.sleep(0.1)
        self.rows, self.alerts, self.axes, self.summary = [], [], {}, {}
        for each in _records(path):
            if each.HasField("history"):
                values = {
                    item.key or "/".join(item.nested_key): json.loads(item.value_json)
                    for item in each.history.item
                }
                self.rows.append((each.history.step.num, values))
            elif each.HasField("alert"):
                self.alerts.append((each.alert.title, each.alert.level))
            elif each.HasField("metric"):
                self.axes[each.metric.name or each.metric.glob_name] = each.metric.step_metric
            elif each.HasField("summary"):
                for item in each.summary.update:
                    key = item.key or "/".join(item.nested_key)
                    self.summary[key] = json.loads(item.value_json)

    def series(self, name, axis="layerscope/step"):
        """The values of a name by its axis."""
        return {values[axis]: values[name] for _, values in self.rows if name in values}
