import pytest
from google.protobuf.internal import decoder, encoder
from hypothesis import given
from hypothesis import strategies as st

from layerscope.events.wire import BYTES, field, fields, key, read_varint, varint


@given(st.integers(0, 2**64 - 1))
def test_varints_are_those_of_protobuf(n: int) -> None:
    assert varint(n) == encoder._VarintBytes(n)
    assert read_varint(varint(n), 0) == decoder._DecodeVarint(varint(n), 0) == (n, len(varint(n)))


def test_an_endless_varint_is_refused() -> None:
    with pytest.raises(ValueError, match="ten bytes"):
        read_varint(b"\xff" * 11, 0)


def test_fields_of_numbers_above_15_are_walked() -> None:
    message = field(16, b"long key") + field(1, b"short key")
    payloads = [(k, message[a:b]) for k, a, b in fields(message, 0, len(message))]
    assert payloads == [(key(16, BYTES), b"long key"), (key(1, BYTES), b"short key")]


@pytest.mark.parametrize(
    ("message", "reason"),
    [(b"\x0a\x05abc", "past the end"), (b"\x0d\0\0", "past the end"), (b"\x0b", "wire type 3")],
)
def test_what_is_not_a_message_is_refused(message: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        list(fields(message, 0, len(message)))
