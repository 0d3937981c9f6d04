import re
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from tensorboard.compat.proto import event_pb2, summary_pb2, tensor_pb2
from tensorboard.plugins.histogram import metadata as histogram_metadata
from tensorboard.plugins.scalar import metadata as scalar_metadata
from tensorboard.util.tensor_util import make_ndarray, make_tensor_proto
from torch.utils.tensorboard import SummaryWriter

from layerscope.events.encoders import HistogramEncoder, ScalarEncoder
from layerscope.events.event_file import EventFile
from layerscope.events.framing import frame
from layerscope.events.reader import CorruptEventFileError, read_run
from layerscope.events.summaries import scalar, text
from layerscope.events.wire import field

KEEP_ALL = dict.fromkeys(
    ["scalars", "histograms", "tensors", "images", "audio", "compressedHistograms"], 0
)


def by_hand(directory: Path) -> dict[str, list[tuple[int, np.ndarray]]]:
    """(step, value) of all values of all tags, by TensorBoard's loader and its migrations."""
    values: dict[str, list[tuple[int, np.ndarray]]] = {}
    for path in sorted(directory.glob("*tfevents*")):
        for event in EventFileLoader(str(path)).Load():
            for value in event.summary.value:
                array = make_ndarray(value.tensor)
                values.setdefault(value.tag, []).append((event.step, array))
    return values


def assert_same(series, expected: list[tuple[int, np.ndarray]]) -> None:
    assert series[0].tolist() == [step for step, _ in expected]
    assert len(series[1]) == len(expected)
    for value, (_, array) in zip(series[1], expected, strict=True):
        np.testing.assert_array_equal(value, array)


def write_two_files_alternately(directory: Path) -> None:
    rng = np.random.default_rng(0)
    tags = ["activation/01_tanh", "activation/02_größe"]
    with EventFile(directory) as first, EventFile(directory) as second:
        histograms = HistogramEncoder(tags, ["**healthy**: 0", ""])
        scalars = ScalarEncoder(["std/01 [1]"], ["a *spread*"])
        for step in [0, 1, 2, 130, 131, 2**40]:
            data = rng.normal(size=(2, 30, 3)).astype(np.float32)
            std = np.array([np.nan if step == 1 else step], dtype=np.float32)
            which = [1, 0] if step == 2 else None
            second.add(step, [*histograms.encode(data, which), *scalars.encode(std)])
            first.add(step, [scalar("train/loss", [3.5, np.inf][step == 1])])
        first.add(0, [text("hparams", "| a | b |", "settings")])
        first.add(7, [text("hparams", "")])
        second.add(7, [scalar("train/loss", 1.0)])


def test_our_reader_and_tensorboards_read_the_same(tmp_path: Path) -> None:
    write_two_files_alternately(tmp_path)
    run = read_run(tmp_path)
    theirs = EventAccumulator(str(tmp_path), size_guidance=KEEP_ALL).Reload()

    assert set(run.scalars) == set(theirs.Tags()["scalars"]) == {"train/loss", "std/01 [1]"}
    assert {*run.histograms, *run.texts} == set(theirs.Tags()["tensors"])
    for tag, scalars in run.scalars.items():
        assert_same(scalars, [(e.step, np.array(e.value)) for e in theirs.Scalars(tag)])
        assert scalars.values.dtype == np.float64
    for tag, histograms in run.histograms.items():
        assert_same(
            histograms, [(e.step, make_ndarray(e.tensor_proto)) for e in theirs.Tensors(tag)]
        )
        assert (histograms.buckets.dtype, histograms.buckets.shape) == (np.float32, (6, 30, 3))
    assert run.texts["hparams"].steps.tolist() == [0, 7]
    assert run.texts["hparams"].texts == ["| a | b |", ""]
    assert run.descriptions == {
        tag: theirs.SummaryMetadata(tag).summary_description
        for tag in ["activation/01_tanh", "std/01 [1]", "hparams"]
    }
    assert run.torn_bytes == 0


def test_a_directory_is_read_in_order_of_time_and_without_its_subdirectories(
    tmp_path: Path,
) -> None:
    for directory, steps in [("", [5, 6]), ("", [0, 5]), ("keyframes", [9])]:
        with EventFile(tmp_path / directory) as file:
            for step in steps:
                file.add(step, [scalar("a", step)])
    (tmp_path / "status.json").write_text("{}")
    assert read_run(tmp_path).scalars["a"].steps.tolist() == [5, 6, 0, 5]
    assert read_run(file.path).scalars["a"].steps.tolist() == [9]


@pytest.mark.parametrize("new_style", [False, True])
def test_what_torch_writes_is_read_as_tensorboard_migrates_it(
    tmp_path: Path, new_style: bool
) -> None:
    rng = np.random.default_rng(0)
    with SummaryWriter(str(tmp_path)) as writer:
        for step in range(5):
            writer.add_scalar("loss", 0.1 * step, step, new_style=new_style)
            writer.add_scalar("acc!", -step, step, double_precision=new_style, new_style=new_style)
            writer.add_histogram("weights", rng.normal(size=100) * 10**step, step)
            writer.add_histogram("same bins", rng.normal(size=100), step, bins=[-9, 0, 9])
            writer.add_text("notes", f"**{step}**", step)
            writer.add_image("image", np.zeros((3, 2, 2), dtype=np.uint8), step)
        writer.add_histogram_raw("empty", 0, 0, 0, 0, 0, [0.0, 1.0], [0, 0], 0)
        writer.add_custom_scalars({"a": {"b": ["Multiline", ["loss"]]}})
        writer.add_pr_curve("pr", np.array([0, 1]), np.array([0.2, 0.8]), 0)

    run = read_run(tmp_path)
    expected = by_hand(tmp_path)
    assert set(run.scalars) == {"loss", "acc!"}
    assert set(run.histograms) == {"weights", "same bins", "empty"}
    for tag, series in {**run.scalars, **run.histograms}.items():
        assert_same(series, expected[tag])
    assert isinstance(run.histograms["weights"].buckets, list)
    assert run.histograms["empty"].buckets.shape == (1, 0, 3)
    ((tag, texts),) = run.texts.items()
    assert tag.startswith("notes")
    assert texts.texts == [f"**{step}**" for step in range(5)]


def tensor_event(step: int, tag: str, tensor: tensor_pb2.TensorProto, metadata) -> bytes:
    value = summary_pb2.Summary.Value(tag=tag, tensor=tensor, metadata=metadata)
    summary = summary_pb2.Summary(value=[value])
    return event_pb2.Event(step=step, summary=summary).SerializeToString()


def test_tensors_as_other_writers_encode_them_are_read(tmp_path: Path) -> None:
    scalars = scalar_metadata.create_summary_metadata("", "")
    histograms = histogram_metadata.create_summary_metadata("", "")
    data = [np.arange(9.0).reshape(3, 3), np.arange(6.0).reshape(2, 3), np.zeros((0, 3))]
    events = [
        tensor_event(1, "float_val", make_tensor_proto(np.float32(1.5)), scalars),
        tensor_event(1, "double_val", make_tensor_proto(np.float64(0.1)), scalars),
        tensor_event(1, "int", make_tensor_proto(np.int32(3)), scalars),
        tensor_event(1, "unknown plugin", make_tensor_proto(np.float32(3)), None),
        *(tensor_event(i, "h", make_tensor_proto(each), histograms) for i, each in enumerate(data)),
        tensor_event(-3, "float_val", make_tensor_proto(np.float32(2.5)), None),
        event_pb2.Event(graph_def=b"graph").SerializeToString(),
        event_pb2.Event(step=4, summary=summary_pb2.Summary()).SerializeToString(),
    ]
    path = tmp_path / "events.out.tfevents.1"
    path.write_bytes(b"".join(b"".join(frame(event)) for event in events))

    run = read_run(path)
    assert {tag: s.values.tolist() for tag, s in run.scalars.items()} == {
        "float_val": [1.5, 2.5],
        "double_val": [0.1],
    }
    assert run.scalars["float_val"].steps.tolist() == [1, -3]
    assert_same(run.histograms["h"], list(enumerate(data)))


def test_a_number_in_an_unpacked_field_is_read(tmp_path: Path) -> None:
    tensor = b"\x08\x01\x12\x00" + b"\x2d" + np.float32(1.5).tobytes()  # proto2 wrote float_val so
    metadata = scalar_metadata.create_summary_metadata("", "").SerializeToString()
    value = field(1, b"a") + field(9, metadata) + field(8, tensor)
    path = tmp_path / "events.out.tfevents.1"
    path.write_bytes(b"".join(frame(field(5, field(1, value)))))
    assert read_run(path).scalars["a"].values.tolist() == [1.5]


def test_summaries_of_equal_size_may_hold_other_tags(tmp_path: Path) -> None:
    with EventFile(tmp_path) as file:
        for step in range(6):
            file.add(step, [scalar("a", step), scalar("even" if step % 2 == 0 else "odd!", step)])
    scalars = read_run(tmp_path).scalars
    assert {tag: series.steps.tolist() for tag, series in scalars.items()} == {
        "a": [0, 1, 2, 3, 4, 5],
        "even": [0, 2, 4],
        "odd!": [1, 3, 5],
    }


def test_a_tag_twice_in_an_event_keeps_the_order_of_writing(tmp_path: Path) -> None:
    with EventFile(tmp_path) as file:
        for step in range(100):
            file.add(step, [scalar("a", 2 * step), scalar("a", 2 * step + 1)])
    assert read_run(tmp_path).scalars["a"].values.tolist() == list(range(200))


def test_the_first_description_of_a_tag_counts(tmp_path: Path) -> None:
    with EventFile(tmp_path) as file:
        file.add(0, [text("notes", "", "")])
        file.add(1, [text("notes", "a", "the first")])
        file.add(2, [text("notes", "bc", "the second")])
    assert read_run(tmp_path).descriptions == {"notes": "the first"}


VALUE = st.one_of(
    st.tuples(st.just("s"), st.sampled_from("abc"), st.floats(width=32)),
    st.tuples(st.just("h"), st.sampled_from("xyz"), st.integers(1, 3)),
    st.tuples(st.just("t"), st.sampled_from("uv"), st.text(max_size=3)),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(VALUE, max_size=4), max_size=12))
def test_events_of_any_mixture_are_read_in_order(tmp_path_factory, events) -> None:
    directory = tmp_path_factory.mktemp("run")
    with EventFile(directory) as file:
        file.add(0, [scalar("always", 0.0)])
        for step, values in enumerate(events):
            encoded = []
            for kind, tag, content in values:
                if kind == "s":
                    encoded.append(scalar(tag, content))
                elif kind == "t":
                    encoded.append(text(tag, content, description=content))
                else:
                    rows = np.full((1, content, 3), step, dtype=np.float32)
                    encoded += HistogramEncoder([tag], [""], buckets=content).encode(rows)
            file.add(step, encoded)

    run, expected = read_run(directory), by_hand(directory)
    assert {*run.scalars, *run.histograms, *run.texts} == set(expected)
    for tag, series in {**run.scalars, **run.histograms}.items():
        assert_same(series, expected[tag])
    for tag, series in run.texts.items():
        assert series.steps.tolist() == [step for step, _ in expected[tag]]
        assert series.texts == [array.item().decode() for _, array in expected[tag]]


@pytest.fixture
def three_events(tmp_path: Path) -> Path:
    encoder = HistogramEncoder(["h"], ["described"], buckets=2)
    with EventFile(tmp_path, flush_seconds=0) as file:
        for step in range(3):
            data = np.full((1, 2, 3), step, dtype=np.float32)
            file.add(step, [*encoder.encode(data), scalar("loss", step)])
    return file.path


def test_a_torn_last_record_is_counted_wherever_it_was_cut(tmp_path: Path) -> None:
    encoder = HistogramEncoder(["h"], ["described"], buckets=2)
    with EventFile(tmp_path) as file:
        for step in range(4):
            if step:
                file.flush()
                whole = file.path.stat().st_size
            data = np.full((1, 2, 3), step, dtype=np.float32)
            file.add(step, [*encoder.encode(data), scalar("loss", step)])
    content = file.path.read_bytes()

    for size in range(whole, len(content) + 1):
        file.path.write_bytes(content[:size])
        run = read_run(tmp_path)
        steps = [0, 1, 2] if size < len(content) else [0, 1, 2, 3]
        assert run.torn_bytes == (size - whole if size < len(content) else 0)
        assert run.scalars["loss"].values.tolist() == steps
        assert run.histograms["h"].buckets[:, 0, 0].tolist() == steps


def test_any_changed_byte_costs_no_more_than_its_record(three_events: Path) -> None:
    whole = three_events.read_bytes()
    for at in range(len(whole)):
        three_events.write_bytes(whole[:at] + bytes([whole[at] ^ 0x10]) + whole[at + 1 :])
        run = read_run(three_events)
        assert 16 < run.damaged_bytes < len(whole) / 2
        losses, histograms = run.scalars["loss"], run.histograms["h"]
        assert losses.values.tolist() == losses.steps.tolist() == histograms.steps.tolist()
        assert histograms.buckets[:, 0, 0].tolist() == histograms.steps.tolist()
        assert len(losses.steps) >= 2


def test_what_lies_behind_the_last_record_is_counted_and_told(
    three_events: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole = three_events.read_bytes()
    before = read_run(three_events)
    three_events.write_bytes(whole + b"\0" * 50)  # what a loss of power may leave
    run = read_run(three_events)
    assert (run.damaged_bytes, run.torn_bytes) == (50, 0)
    assert run.scalars.keys() == before.scalars.keys()
    assert f"{three_events} is damaged from byte {len(whole)} on: 50 of its " in caplog.text


def test_a_file_of_which_nothing_is_whole_is_refused(three_events: Path) -> None:
    three_events.write_bytes(b"\0" * 500)
    sentence = f"{three_events} is corrupt at byte 0: the checksum of a record's length"
    with pytest.raises(CorruptEventFileError, match=re.escape(sentence)):
        read_run(three_events)


@pytest.mark.parametrize("payload", [b"\xff", b"\x2a\x02\x0a\x09", b"\x2a\x04\x0a\x02\x0a\x09"])
def test_a_record_that_holds_no_event_is_corrupt(three_events: Path, payload: bytes) -> None:
    whole = three_events.read_bytes()
    three_events.write_bytes(whole + b"".join(frame(payload)))
    with pytest.raises(CorruptEventFileError, match="a record holds no event"):
        read_run(three_events)


@pytest.mark.parametrize("name", ["", "missing"])
def test_a_run_without_event_files_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(FileNotFoundError, match=r"no .*event file"):
        read_run(tmp_path / name)


def test_reading_is_20_times_as_fast_as_the_event_accumulator(tmp_path: Path) -> None:
    tags = [f"activation/{layer:02d}_tanh" for layer in range(30)]
    encoder = HistogramEncoder(tags, [""] * 30)
    data = np.random.default_rng(0).normal(size=(30, 30, 3)).astype(np.float32)
    with EventFile(tmp_path) as file:
        for step in range(400):
            file.add(step, encoder.encode(data))

    def seconds(read) -> float:
        start = time.perf_counter()
        read()
        return time.perf_counter() - start

    ours = min(seconds(lambda: read_run(tmp_path)) for _ in range(3))
    theirs = seconds(EventAccumulator(str(tmp_path), size_guidance=KEEP_ALL).Reload)
    assert theirs > 20 * ours


def test_a_folder_of_runs_is_no_run_and_names_the_last_of_those_below_it(tmp_path):
    for run in "abcdefg":
        for folder in (run, f"{run}/keyframes"):
            with EventFile(tmp_path / folder) as events:
                events.add(0, [scalar("loss", 1.0)], 1.0)
    with pytest.raises(FileNotFoundError, match=r"the runs below it are c, d, e, f, g and 2 more$"):
        read_run(tmp_path)
