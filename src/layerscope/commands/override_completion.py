"""Settings, completed by Hydra's own completion: what comes after `layerscope train init=`."""

import os
import sys
from argparse import Namespace
from contextlib import redirect_stdout
from io import StringIO

from layerscope.lab.conf_folder import conf_folder


def complete_overrides(prefix: str, parsed_args: Namespace, **_: object) -> list[str]:
    """What a setting that begins like this may be; for argcomplete, which calls it by these names.

    Args:
        prefix: what has been typed of the word.
        parsed_args: what stands before it.
    """
    try:
        import hydra
    except ModuleNotFoundError:
        return []
    before = getattr(parsed_args, "overrides", None) or []
    mine = getattr(parsed_args, "config_dir", None)
    os.environ["COMP_LINE"] = " ".join(["layerscope", *before, prefix])
    added = [] if mine is None else ["--config-dir", str(mine)]
    sys.argv[1:] = [*added, "--shell-completion", "query=bash"]
    said = StringIO()
    with redirect_stdout(said):
        hydra.main(version_base="1.3", config_path=str(conf_folder()), config_name="train")(
            lambda _: None
        )()
    return said.getvalue().split()
