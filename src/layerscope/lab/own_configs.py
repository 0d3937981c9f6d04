"""The user's own config files, as `--config-dir` names them: what is wrong with one."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml  # type: ignore[import-untyped]
from omegaconf import OmegaConf
from yaml import MappingNode, Node, SequenceNode

from layerscope.lab.sentence import BAD_SETTING

_MOST_VALUES = 10_000


@contextmanager
def own_configs(folder: Path | None) -> Iterator[None]:
    """Within, a config is composed with the files of a folder: what is wrong with one names it.

    Raises:
        ValueError: a file cannot be read, or aliases make more than 10,000 values of what is in it;
            so do the errors of `NO_CONFIG`, which name the file themselves.
    """
    if folder is None:
        yield
        return
    _refuse_multiplied(folder)
    try:
        yield
    except (*BAD_SETTING, OSError) as error:
        if told := _refused_file(folder, error):
            raise ValueError(told) from error
        raise


def _refuse_multiplied(folder: Path) -> None:
    """Refuse a file whose aliases make many values of few, which would take hours to compose."""
    for path in sorted(folder.rglob("*.yaml")):
        text = path.read_bytes() if path.is_file() else b""
        if b"&" not in text or b"*" not in text:
            continue
        try:
            root = yaml.compose(text, yaml.CSafeLoader)
        except yaml.YAMLError:  # told when it is read, if it is
            continue
        if root is not None and (got := _values(root, {})) > _MOST_VALUES:
            raise ValueError(
                f"{path} must have at most {_MOST_VALUES} values, got {got} with its aliases"
            )


def _values(node: Node, known: dict[int, int]) -> int:
    """How many values a node is when all aliases in it are written out."""
    if id(node) not in known:
        known[id(node)] = 0  # of a node that leads to itself: told when it is read
        within: list[Node] = []
        if isinstance(node, SequenceNode):
            within = node.value
        elif isinstance(node, MappingNode):
            within = [each for pair in node.value for each in pair]
        known[id(node)] = 1 + sum(_values(each, known) for each in within)
    return known[id(node)]


def _refused_file(folder: Path, error: Exception) -> str | None:
    """A sentence on the file that cannot be read, if that has raised the error: what is raised
    names none.
    """
    raised = [_as_raised(error), _as_raised(error.__cause__)]
    for path in sorted(folder.rglob("*.yaml")):
        try:
            OmegaConf.load(path)
        except Exception as own:  # whatever it is, it is told if it is the same
            if _as_raised(own) in raised:
                return f"{path} must be YAML of keys and values: {_as_raised(own)[1]}"
    return None


def _as_raised(error: BaseException | None) -> tuple[type, str]:
    """What two errors of the same cause have in common."""
    return type(error), str(error).partition("\n")[0]
