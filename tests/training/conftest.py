"""What trainings of a second or two are made of."""

import pytest


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    path = tmp_path_factory.mktemp("words") / "words.txt"
    path.write_text("\n".join(f"{chr(97 + i % 26)}{chr(97 + i // 2)}bcdef" for i in range(50)))
    return path
