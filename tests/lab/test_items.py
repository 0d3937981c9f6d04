import re
from pathlib import Path

import pytest

from layerscope.lab.data.datasets import read_items


def written(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "items.txt"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("data", [b"ab\ncd\n", b"ab\r\ncd\r\n", b"ab\ncd", b"\xef\xbb\xbf ab \ncd"])
def test_line_ends_a_byte_order_mark_and_outer_spaces_are_not_part_of_an_item(tmp_path, data):
    assert read_items(written(tmp_path, data)) == ["ab", "cd"]


def test_only_a_line_feed_ends_an_item(tmp_path):
    text = "a\u2028b\nc\x0bd\n"
    assert read_items(written(tmp_path, text.encode())) == ["a\u2028b", "c\x0bd"]


def test_repeated_lines_are_kept_in_the_order_of_the_file(tmp_path):
    assert read_items(written(tmp_path, b"b\na\nb\n")) == ["b", "a", "b"]


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "{path} is empty; it must hold one item a line"),
        (b"a\n\nb\n", "{path}, line 2: the line is blank; every line is one item"),
        (b"a\nb\n\n", "{path}, line 3: the line is blank; every line is one item"),
        (b"a\nb\n \t\n", "{path}, line 3: the line is blank; every line is one item"),
        (b"\n", "{path}, line 1: the line is blank; every line is one item"),
        (b"\xef\xbb\xbf", "{path}, line 1: the line is blank; every line is one item"),
        (b"a\nb\xff\nc\n", "{path}, line 2: byte 0xff is not valid UTF-8"),
        (b"\xef\xbb\xbfa\nb\nc\xe9", "{path}, line 3: byte 0xe9 is not valid UTF-8"),
    ],
)
def test_what_is_wrong_in_a_file_is_said_with_the_line(tmp_path, data, sentence):
    path = written(tmp_path, data)
    with pytest.raises(ValueError, match=f"^{re.escape(sentence.format(path=path))}$"):
        read_items(path)


def test_a_missing_file_is_said_to_be_missing(tmp_path):
    with pytest.raises(
        ValueError, match=r"^path must be a text file, got \S+/none\.txt, which is not there$"
    ):
        read_items(tmp_path / "none.txt")


def test_a_folder_is_said_to_be_a_folder(tmp_path):
    with pytest.raises(ValueError, match=r"^path must be a text file, got \S+, which is a folder$"):
        read_items(tmp_path)


def test_any_other_failure_is_said_in_the_words_of_the_system(tmp_path):
    path = written(tmp_path, b"a\n") / "below"
    with pytest.raises(
        ValueError, match=r"^path must be a text file that can be read, got \S+/below: Not a dir"
    ):
        read_items(path)
