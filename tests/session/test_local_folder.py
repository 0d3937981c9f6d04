from pathlib import Path

import pytest

from layerscope.session.local_folder import is_same_folder, local_folder


def test_a_folder_is_absolute_from_the_working_folder_of_the_moment(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = local_folder("logs/../runs/mine/")
    monkeypatch.chdir("/")
    assert made == tmp_path / "runs" / "mine"
    assert local_folder(Path("mine")) == Path("/mine")


def test_a_tilde_is_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert local_folder("~/runs") == local_folder(Path("~/runs")) == tmp_path / "runs"


@pytest.mark.parametrize(
    "address", ["s3://bucket/run", Path("gs://bucket"), "hdfs://a", "file:///a"]
)
def test_an_address_is_refused(address):
    with pytest.raises(ValueError, match="log_dir must be a folder on this machine, got '"):
        local_folder(address)


@pytest.mark.parametrize("path", ["/dev/null", "/dev/null/run"])
def test_a_path_through_a_file_is_refused(path):
    with pytest.raises(
        ValueError, match=f"^log_dir must be a folder, got {path}: /dev/null is not one$"
    ):
        local_folder(path)


@pytest.mark.parametrize("nothing", [None, "", 3])
def test_what_is_no_path_is_refused(nothing):
    with pytest.raises(ValueError, match="log_dir must be the path of a folder, got "):
        local_folder(nothing)


def test_a_name_with_a_colon_is_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert local_folder("init=a:b") == tmp_path / "init=a:b"


def test_a_link_leads_to_the_same_folder(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "there")
    assert is_same_folder(tmp_path / "link" / "run", tmp_path / "there" / "run")
    assert not is_same_folder(tmp_path / "link", tmp_path)
