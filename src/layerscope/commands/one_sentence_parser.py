"""What is typed wrong after `layerscope` is refused in one sentence."""

import re
from argparse import ArgumentParser
from typing import NoReturn

from layerscope.arguments import did_you_mean
from layerscope.refusal import refuse


class OneSentenceParser(ArgumentParser):
    """Leaves the usage out, which `--help` prints: a sentence, and exit code 2."""

    def error(self, message: str) -> NoReturn:
        """Print the sentence, and exit."""
        raise SystemExit(refuse(f"{message}{_nearest(message)}"))


def _nearest(message: str) -> str:
    """The end of argparse's sentence on an unknown choice: the one that may be meant.

    >>> _nearest("argument COMMAND: invalid choice: 'sho' (choose from 'show', 'run')")
    '; did you mean show?'
    """
    choice = re.search(r"invalid choice: '(.*)' \(choose from (.*)\)$", message)
    return did_you_mean(choice[1], re.findall(r"[\w-]+", choice[2])) if choice else ""
