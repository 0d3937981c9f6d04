import re
from types import SimpleNamespace

import pytest
import torch

from layerscope.lab.data import NamesData, NotebookData, TextFileData


@pytest.fixture(scope="module")
def names():
    data = NamesData()
    data.setup("fit")
    return data


@pytest.fixture
def text_file(tmp_path):
    path = tmp_path / "items.txt"
    path.write_text("".join(f"{number}.{number * number}\n" for number in range(50)))
    return path


def test_there_are_29910_names_and_none_is_in_two_splits(names):
    splits = names.splits()
    assert (len(splits.train), len(splits.val), len(splits.test)) == (23928, 2991, 2991)
    every_name = {*splits.train, *splits.val, *splits.test}
    assert len(every_name) == 29910
    assert (min(map(len, every_name)), max(map(len, every_name))) == (2, 15)


def test_names_are_over_26_letters_and_the_boundary(names):
    assert names.vocabulary.characters == "abcdefghijklmnopqrstuvwxyz"
    assert names.embedding_rows == len(names.vocabulary) == 27


def test_each_name_gives_an_example_a_letter_and_one_for_its_end(names):
    letters = sum(len(name) + 1 for name in names.splits().train)
    batches = names.train_dataloader()
    assert sum(len(y) for _, y in batches) == letters
    assert len(batches) == -(-letters // names.batch_size)
    assert next(iter(batches))[0].shape == (1024, 3)


def test_all_bigrams_of_the_notebook_are_one_batch_in_its_order():
    data = NotebookData()
    data.setup()
    ((x, y),) = data.train_dataloader()
    assert (x.shape, y.shape) == ((130, 1), (130,))
    assert data.batch_size == 130
    assert data.vocabulary.decode(x[:10, 0].tolist()) == ".emma.oliv"
    assert data.vocabulary.decode(y[:10].tolist()) == "emma.olivi"
    assert (data.embedding_rows, len(data.vocabulary), data.context_length) == (27, 21, 1)
    ((val_x, val_y),) = data.val_dataloader()
    assert torch.equal(val_x, x)
    assert torch.equal(val_y, y)


def test_a_text_file_brings_its_own_alphabet(text_file):
    data = TextFileData(text_file, context_length=4, batch_size=10)
    data.setup()
    assert data.vocabulary.characters == ".0123456789"
    assert data.embedding_rows == 12
    assert sum(len(split) for split in vars(data.splits()).values()) == 50


def test_setting_up_again_changes_nothing(text_file):
    data = TextFileData(str(text_file))
    data.setup("fit")
    vocabulary = data.vocabulary
    text_file.unlink()
    data.setup("test")
    assert data.vocabulary is vocabulary


def test_only_training_is_shuffled_and_by_the_seed_of_the_run(text_file):
    def epoch(seed, loader):
        data = TextFileData(text_file, shuffle_seed=seed)
        data.setup()
        return next(iter(getattr(data, loader)()))[0]

    assert torch.equal(epoch(1, "train_dataloader"), epoch(1, "train_dataloader"))
    assert not torch.equal(epoch(1, "train_dataloader"), epoch(2, "train_dataloader"))
    for loader in ("val_dataloader", "test_dataloader"):
        assert torch.equal(epoch(1, loader), epoch(2, loader))


def test_the_trainer_says_which_rank_and_epoch_it_is(text_file):
    data = TextFileData(text_file, batch_size=7)
    data.setup()
    whole = torch.cat([y for _, y in data.val_dataloader()])
    for rank in range(2):
        data.trainer = SimpleNamespace(global_rank=rank, world_size=2, current_epoch=0)
        share = torch.cat([y for _, y in data.val_dataloader()])
        assert torch.equal(share, whole[rank::2])

    training = data.train_dataloader()
    first = torch.cat([y for _, y in training])
    data.trainer.current_epoch = 1
    assert not torch.equal(torch.cat([y for _, y in training]), first)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"context_length": 0}, "context_length must be at least 1, got 0"),
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
        ({"batch_size": 1.5}, "batch_size must be a whole number, got 1.5"),
        ({"batch_size": True}, "batch_size must be a whole number, got True"),
        ({"shuffle_seed": -1}, "shuffle_seed must be at least 0, got -1"),
    ],
)
def test_a_bad_size_is_refused_at_construction(arguments, sentence):
    for data in (NamesData, lambda **given: TextFileData("items.txt", **given)):
        with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
            data(**arguments)


def test_a_file_of_one_line_is_refused_with_its_name_and_nothing_is_written(tmp_path):
    path = tmp_path / "one.txt"
    path.write_text("emma\n")
    with pytest.raises(ValueError, match=rf"^{re.escape(str(path))} must hold at least 6 .*got 1$"):
        TextFileData(path).setup()
    assert list(tmp_path.iterdir()) == [path]
