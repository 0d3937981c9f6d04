"""A run's event files, read back into arrays."""

import logging
import os
import struct
from collections import defaultdict
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from layerscope.events.columns import Column, read_columns
from layerscope.events.framing import CorruptRecordError, masked_crc
from layerscope.events.layout import Span
from layerscope.events.series import (
    HistogramSeries,
    ScalarSeries,
    TensorSeries,
    TextSeries,
    histogram_series,
    scalar_series,
    tensor_series,
    text_series,
)
from layerscope.events.summaries import PLUGIN

_log = logging.getLogger("layerscope")


class CorruptEventFileError(ValueError):
    """Bytes of an event file are not what was written; names the file and the offset."""


@dataclass(frozen=True)
class RunEvents:
    """What the event files of a run say, by tag; a tag's events in the order of writing.

    tensors and documents are what LayerScope writes for itself and TensorBoard passes over: see
    `figures_event`. descriptions has the tags that have one. torn_bytes counts the bytes after the
    last whole record of each file: more than 0 where a file is being written or its writer was
    killed. damaged_bytes counts those that are not what was written, after a loss of power, say:
    what is whole before and after them is here.
    """

    scalars: dict[str, ScalarSeries]
    histograms: dict[str, HistogramSeries]
    texts: dict[str, TextSeries]
    tensors: dict[str, TensorSeries]
    documents: dict[str, TextSeries]
    descriptions: dict[str, str]
    torn_bytes: int
    damaged_bytes: int = 0


def read_run(path: str | os.PathLike[str]) -> RunEvents:
    """Read one event file, or those of a directory in order of time: see `event_files`.

    What a run wrote before it was resumed at an earlier step is passed over: see
    `EventFile.restart`. So are kinds other than scalars, histograms and texts. A torn last record
    is counted, not read; so are damaged records, and a warning says how much of the file they are.

    60 times as fast as TensorBoard's EventAccumulator: 0.15 s for 190,000 histograms, 80 MB.

    Raises:
        FileNotFoundError: there is no event file.
        CorruptEventFileError: nothing in one is whole, or a record holds no event.
    """
    columns: dict[str, list[Column]] = defaultdict(list)
    restarts: list[tuple[int, int]] = []
    size = torn_bytes = damaged_bytes = 0
    for file in event_files(Path(path)):
        data = file.read_bytes()
        try:
            of_file, restarts_of_file, records = read_columns(data, base=size)
        except CorruptRecordError as error:
            raise CorruptEventFileError(
                f"{file} is corrupt at byte {error.offset}: {error}"
            ) from error
        for column in of_file:
            columns[column.span.tag].append(column)
        restarts += restarts_of_file
        size += len(data)
        torn_bytes += records.torn
        damaged_bytes += records.damaged
        if records.first_damage is not None:
            _log.warning(
                "%s is damaged from byte %d on: %s of its %s bytes were passed over",
                file,
                records.first_damage.offset,
                f"{records.damaged:,}",
                f"{len(data):,}",
            )
    run = RunEvents({}, {}, {}, {}, {}, {}, torn_bytes, damaged_bytes)
    for tag, parts in columns.items():
        valid = [column.without_abandoned(restarts) for column in parts]
        left = [column for column in valid if len(column.steps)]
        if left:
            _add(run, tag, sorted(left, key=lambda column: int(column.order[0])))
    return run


def _add(run: RunEvents, tag: str, columns: list[Column]) -> None:
    plugin = next((c.span.plugin for c in columns if c.span.plugin), "")
    if not plugin and run.damaged_bytes:  # the tag's first event, which says it, may be lost
        plugin = _likely_plugin(tag, columns[0].span)
    if plugin == "scalars":
        if (scalars := scalar_series(columns)) is not None:
            run.scalars[tag] = scalars
    elif plugin == "histograms":
        if (histograms := histogram_series(columns)) is not None:
            run.histograms[tag] = histograms
    elif plugin == "text" and (texts := text_series(columns)) is not None:
        run.texts[tag] = texts
    elif plugin == PLUGIN:
        if (tensors := tensor_series(columns)) is not None:
            run.tensors[tag] = tensors
        if (documents := text_series(columns)) is not None:
            run.documents[tag] = documents
    description = next((c.span.description for c in columns if c.span.description), "")
    if description:
        run.descriptions[tag] = description


def _likely_plugin(tag: str, span: Span) -> str:
    """Whose a tag is that does not say so."""
    if tag.startswith(f"{PLUGIN}/"):
        return PLUGIN
    if span.kind == "strings":
        return "text"
    return "histograms" if len(span.shape) == 2 and span.shape[1] == 3 else "scalars"


_HEAD = 64
"""Bytes at a file's start: its first record says the version and the time of opening."""

_NAMED = 5  # runs, where a folder is none
_LOOKED_AT = 10_000  # folders below it, at most: `/` has hundreds of thousands


def event_files(path: Path) -> list[Path]:
    """An event file, or those of a folder (not of its subfolders), in order of time.

    As TensorBoard does, it goes by `tfevents` in the name, which starts with the time at which the
    file was opened. Passed over, with a warning, is what such a name has and holds no events (a
    compressed copy, notes), and a copy of another file; without one hidden files, which tools that
    copy and edit leave, and folders.

    Raises:
        FileNotFoundError: there is none, or the file is of another kind.
    """
    if not path.is_dir():
        if not path.is_file():
            raise FileNotFoundError(f"there is no event file or folder {path}")
        if not _starts_an_event_file(_first_bytes(path)):
            raise FileNotFoundError(f"{path} is not an event file")
        return [path]
    named = sorted(
        each
        for each in path.iterdir()
        if "tfevents" in each.name and not each.name.startswith(".") and each.is_file()
    )
    found: dict[bytes, Path] = {}
    for each in named:
        head = _first_bytes(each)
        if not _starts_an_event_file(head):
            _log.warning("%s holds no events, and is passed over", each)
        elif (other := found.get(head)) is not None and (longer := _longer(other, each)):
            _log.warning("%s and %s are copies: the longer is read", other, each)
            found[head] = longer
        else:
            found[head if head not in found else head + bytes(each)] = each
    if not found:
        raise FileNotFoundError(f"no event file (*tfevents*) in {path}{_runs_below(path)}")
    return sorted(found.values())


def _runs_below(folder: Path) -> str:
    """The end of a sentence: the last runs below a folder, by name; "" without any."""
    homes = {
        Path(home)
        for home, _, files in islice(os.walk(folder), _LOOKED_AT)
        if any("tfevents" in each for each in files)
    } - {folder}  # whose own files hold no events
    runs = sorted(str(each.relative_to(folder)) for each in homes if each.parent not in homes)
    if not runs:
        return ""
    more = f" and {len(runs) - _NAMED} more" if len(runs) > _NAMED else ""
    return f"; the runs below it are {', '.join(runs[-_NAMED:])}{more}"


def _first_bytes(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_HEAD)


def _starts_an_event_file(head: bytes) -> bool:
    """Whether bytes begin with a record's length and its checksum, or are too few; or are such that
    are damaged: they still say what they are, or have become zeros.
    """
    if len(head) < 12 or b"brain.Event:" in head or not any(head):
        return True
    return struct.pack("<I", masked_crc(head[:8])) == head[8:12]


def _longer(one: Path, other: Path) -> Path | None:
    """The longer of two files, if it starts with all of the shorter; None if not."""
    shorter, longer = sorted((one, other), key=lambda path: path.stat().st_size)
    size = shorter.stat().st_size
    with longer.open("rb") as file:
        return longer if size >= _HEAD and file.read(size) == shorter.read_bytes() else None
