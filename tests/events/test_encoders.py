import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import arrays
from tensorboard.compat.proto import summary_pb2
from tensorboard.plugins.histogram import metadata as histogram_metadata
from tensorboard.plugins.image import metadata as image_metadata
from tensorboard.plugins.scalar import metadata as scalar_metadata
from tensorboard.plugins.text import metadata as text_metadata
from tensorboard.util.tensor_util import make_ndarray

from layerscope.events.encoders import HistogramEncoder, ScalarEncoder
from layerscope.events.summaries import image, scalar, text


def summary(values: list[bytes]) -> list[summary_pb2.Summary.Value]:
    return list(summary_pb2.Summary.FromString(b"".join(values)).value)


def with_class(
    metadata: summary_pb2.SummaryMetadata, data_class: int
) -> summary_pb2.SummaryMetadata:
    metadata.data_class = data_class
    return metadata


@given(arrays(np.float32, (2, 5, 3)))
def test_histograms_are_float_tensors_bit_for_bit(data: np.ndarray) -> None:
    values = summary(HistogramEncoder(["a", "b/ü"], ["", ""], buckets=5).encode(data))
    assert [value.tag for value in values] == ["a", "b/ü"]
    for value, row in zip(values, data, strict=True):
        assert make_ndarray(value.tensor).tobytes() == row.tobytes()
        assert make_ndarray(value.tensor).shape == (5, 3)


def test_the_first_event_of_a_tag_has_the_metadata_that_tensorboard_makes() -> None:
    encoder = HistogramEncoder(["a", "b", "c"], ["**A**", "", "C"])
    data = np.zeros((3, 30, 3), dtype=np.float32)

    (first,) = summary(encoder.encode(data[:1], which=[2]))
    rest = summary(encoder.encode(data))
    later = summary(encoder.encode(data[:2], which=[1, 0]))

    def expected(description: str) -> summary_pb2.SummaryMetadata:
        metadata = histogram_metadata.create_summary_metadata("", description)
        return with_class(metadata, summary_pb2.DATA_CLASS_TENSOR)

    assert (first.tag, first.metadata) == ("c", expected("C"))
    assert [value.metadata for value in rest[:2]] == [expected("**A**"), expected("")]
    assert [value.tag for value in later] == ["b", "a"]
    assert not any(value.HasField("metadata") for value in [rest[2], *later])


def test_scalars_are_simple_values_and_the_first_is_described() -> None:
    encoder = ScalarEncoder(["mean", "std"], ["*m*", ""])
    first, later = (summary(encoder.encode(np.array([1.5, 2.5], np.float32))) for _ in range(2))
    assert [(v.tag, v.simple_value) for v in first] == [("mean", 1.5), ("std", 2.5)]
    assert first[0].metadata == with_class(
        scalar_metadata.create_summary_metadata("", "*m*"), summary_pb2.DATA_CLASS_SCALAR
    )
    assert [(v.tag, v.simple_value) for v in later] == [("mean", 1.5), ("std", 2.5)]
    assert not any(v.HasField("metadata") for v in later)


@pytest.mark.parametrize(
    ("number", "written"),
    [(0.1, np.float32(0.1)), (1e39, np.inf), (-1e39, -np.inf), (-np.inf, -np.inf)],
)
def test_a_scalar_is_the_nearest_float32(number: float, written: float) -> None:
    (value,) = summary([scalar("train/loss", number)])
    assert (value.tag, value.simple_value) == ("train/loss", written)


def test_a_text_is_a_string_tensor_of_the_text_plugin() -> None:
    (value,) = summary([text("notes", "# gehört", "why")])
    assert make_ndarray(value.tensor).item() == "# gehört".encode()
    assert value.metadata == with_class(
        text_metadata.create_summary_metadata("", "why"), summary_pb2.DATA_CLASS_TENSOR
    )


def test_an_image_is_its_size_and_its_bytes() -> None:
    header = b"IHDR" + struct.pack(">IIBBBBB", 7, 5, 8, 0, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header
    png += struct.pack(">I", zlib.crc32(header))
    (value,) = summary([image("figure", png)])
    assert make_ndarray(value.tensor).tolist() == [b"7", b"5", png]
    assert value.metadata == with_class(
        image_metadata.create_summary_metadata("", ""), summary_pb2.DATA_CLASS_BLOB_SEQUENCE
    )


def test_a_histogram_of_30_buckets_with_a_tag_of_40_takes_at_most_430_bytes() -> None:
    encoder = HistogramEncoder(["t" * 40], ["described once, so it does not count"])
    data = np.zeros((1, 30, 3), dtype=np.float32)
    encoder.encode(data)
    assert len(encoder.encode(data)[0]) <= 430


def test_data_need_not_be_contiguous() -> None:
    data = np.arange(36, dtype=np.float32).reshape(3, 6, 2).T
    (value, _) = summary(HistogramEncoder(["a", "b"], ["", ""], buckets=6).encode(data))
    np.testing.assert_array_equal(make_ndarray(value.tensor), data[0])


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: HistogramEncoder(["a"], []), "descriptions must be 1, one a tag, got 0"),
        (lambda: ScalarEncoder(["a", "b", "a"], [""] * 3), "tags must differ, got 'a'"),
        (lambda: HistogramEncoder(["a"], [""], buckets=0), "buckets must be at least 1, got 0"),
        (lambda: image("a", b"GIF89a" + bytes(30)), "the image of tag 'a' is not a PNG"),
        (
            lambda: HistogramEncoder(["a"], [""]).encode(np.zeros((1, 29, 3), np.float32)),
            r"data must be float32 \(1, 30, 3\), got float32 \(1, 29, 3\)",
        ),
        (
            lambda: ScalarEncoder(["a", "b"], ["", ""]).encode(np.zeros(1), which=[1]),
            r"data must be float32 \(1,\), got float64 \(1,\)",
        ),
    ],
)
def test_bad_arguments_are_refused_in_one_sentence(make, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        make()


@given(arrays(np.float32, (3, 2, 5, 3)))
def test_steps_encoded_together_have_the_bytes_of_steps_encoded_one_by_one(data) -> None:
    together, alone = (
        HistogramEncoder(["a", "longer", "c"], ["A", "", ""], buckets=5) for _ in range(2)
    )
    for which in ([0, 1], [2, 0]):
        expected = [b"".join(alone.encode(of_step, which)) for of_step in data]
        assert [bytes(of_step) for of_step in together.encode_steps(data, which)] == expected
    assert together.encode_steps(data[:0], [0, 1]) == []


def test_data_of_several_steps_must_have_the_encoders_shape() -> None:
    encoder = HistogramEncoder(["a"], [""], buckets=5)
    encoder.encode(np.zeros((1, 5, 3), np.float32))
    with pytest.raises(ValueError, match=r"data must be float32 \(2, 1, 5, 3\), got"):
        encoder.encode_steps(np.zeros((2, 2, 5, 3), np.float32))


def test_steps_of_which_nothing_is_chosen_have_no_values():
    encoder = HistogramEncoder(["a"], [""])
    nothing = encoder.encode_steps(np.empty((3, 0, 30, 3), np.float32), [])
    assert [bytes(of_step) for of_step in nothing] == [b""] * 3
