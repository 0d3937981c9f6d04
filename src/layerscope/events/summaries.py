"""A Summary's values: one scalar, text or image of any tag, as an encoded `Summary.value` field.

What these return is what `EventFile.add` takes: each bytes object is one field of a Summary, key
and length included, so that joining them makes the message. Field numbers are those of
tensorboard/compat/proto/{summary,tensor,tensor_shape}.proto.
"""

import functools
import struct
from collections.abc import Iterable

from layerscope.events.wire import FIXED32, field, key, varint

DT_FLOAT, DT_STRING = 1, 7  # DataType
CLASS_SCALAR, CLASS_TENSOR, CLASS_BLOBS = 1, 2, 3  # DataClass
SIMPLE_VALUE_KEY = varint(key(2, FIXED32))

PLUGIN = "layerscope"
"""Names what is for programs: TensorBoard passes over a plugin that it does not know."""

_FLOAT32 = struct.Struct("<f")


def scalar(tag: str, number: float) -> bytes:
    """Encode a scalar, without a description; what is beyond float32 becomes infinite."""
    try:
        content = _FLOAT32.pack(number)
    except OverflowError:
        content = _FLOAT32.pack(float("inf") if number > 0 else float("-inf"))
    return _scalar_prefix(tag) + content


def text(tag: str, markdown: str, description: str = "") -> bytes:
    """Encode a text for TensorBoard's Text tab, which renders it as Markdown."""
    tensor = _strings((), [markdown.encode()])
    return _tensor_value(tag, metadata("text", CLASS_TENSOR, description), tensor)


def document(tag: str, content: str | bytes, plugin: str) -> bytes:
    """Encode what is for a program to read: TensorBoard passes over an unknown plugin."""
    tensor = _strings((), [content.encode() if isinstance(content, str) else content])
    return _tensor_value(tag, metadata(plugin, CLASS_TENSOR, ""), tensor)


def marker(tag: str, plugin: str, content: bytes) -> bytes:
    """Encode a tag that says everything in its plugin's own metadata: its tensor is empty."""
    about = metadata(plugin, CLASS_TENSOR, "", content)
    return _tensor_value(tag, about, tensor_head(DT_FLOAT, (0,)))


def image(tag: str, png: bytes, description: str = "") -> bytes:
    """Encode a PNG file's bytes for TensorBoard's Images tab; ValueError if they are not."""
    if png[:8] != b"\x89PNG\r\n\x1a\n" or len(png) < 24:
        raise ValueError(f"the image of tag {tag!r} is not a PNG: it starts with {png[:8]!r}")
    width, height = struct.unpack_from(">II", png, 16)  # the header chunk always comes first
    tensor = _strings((3,), [b"%d" % width, b"%d" % height, png])
    return _tensor_value(tag, metadata("images", CLASS_BLOBS, description), tensor)


@functools.lru_cache(maxsize=256)  # hundreds of tags have one description
def metadata(plugin: str, data_class: int, description: str, content: bytes = b"") -> bytes:
    """Encode Summary.Value.metadata, which TensorBoard needs on a tag's first event only."""
    # Most plugins' own content is their version, 0, the default: nothing to encode.
    plugin_data = field(1, field(1, plugin.encode()) + (field(2, content) if content else b""))
    about = field(3, description.encode()) if description else b""
    return field(9, plugin_data + about + b"\x20" + varint(data_class))


def tensor_head(dtype: int, shape: Iterable[int]) -> bytes:
    """Encode the type and the shape of a TensorProto, which come before its content."""
    dims = b"".join(field(2, b"\x08" + varint(size)) for size in shape)
    return b"\x08" + varint(dtype) + field(2, dims)


def _strings(shape: tuple[int, ...], strings: Iterable[bytes]) -> bytes:
    return tensor_head(DT_STRING, shape) + b"".join(field(8, string) for string in strings)


def _tensor_value(tag: str, about: bytes, tensor: bytes) -> bytes:
    return field(1, field(1, tag.encode()) + about + field(8, tensor))


@functools.lru_cache(maxsize=4096)
def _scalar_prefix(tag: str) -> bytes:
    value = field(1, tag.encode()) + SIMPLE_VALUE_KEY
    return b"\x0a" + varint(len(value) + _FLOAT32.size) + value
