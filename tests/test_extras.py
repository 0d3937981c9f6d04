import re

import pytest
from hydra.errors import MissingConfigException

from layerscope.lab.sentence import sentence


@pytest.mark.parametrize(
    ("file", "told"),
    [
        ("hydra/launcher/ray", "hydra/launcher=ray needs a plugin of Hydra: .*layerscope.ray.'"),
        ("hydra/sweeper/optuna", "hydra/sweeper=optuna needs a plugin of Hydra: .*.search.'"),
        ("hydra/launcher/rey", "hydra/launcher must be one of basic, got rey"),
    ],
)
def test_a_launcher_that_is_not_installed_is_told_with_its_extra(file, told):
    missing = MissingConfigException("", missing_cfg_file=file, options=["basic"])
    assert re.fullmatch(told, sentence(missing))
