"""Settings are named in one place: every other list of them is held equal to it."""

import inspect
import pydoc
import re
from dataclasses import MISSING, fields
from pathlib import Path
from typing import get_type_hints

import pytest
import yaml

from layerscope import LayerMonitor, watch
from layerscope.diagnose import Thresholds
from layerscope.session.setting_keywords import SettingKeywords
from layerscope.session.settings import Settings

CONF = Path(__file__).parent.parent.parent / "conf" / "monitor"
DEFAULTS = {
    field.name: field.default if field.default_factory is MISSING else field.default_factory()
    for field in fields(Settings)
}
DOORS = {
    "LayerMonitor": (LayerMonitor, {"log_dir"}),
    "watch": (watch, {"model", "log_dir", "start", "scaler"}),
}


def test_the_keywords_for_type_checkers_are_the_settings_with_their_types():
    assert get_type_hints(SettingKeywords) == {
        field.name: get_type_hints(Settings)[field.name] for field in fields(Settings)
    }


@pytest.mark.parametrize("name", DOORS)
def test_a_door_s_signature_has_every_setting_with_type_and_default(name):
    door, own = DOORS[name]
    parameters = dict(inspect.signature(door).parameters)
    for each in own:
        del parameters[each]
    assert {each.name: each.default for each in parameters.values()} == DEFAULTS
    types = {each.name: each.annotation for each in parameters.values()}
    assert types == get_type_hints(SettingKeywords)


@pytest.mark.parametrize("name", DOORS)
def test_help_on_a_door_describes_every_setting_with_its_default(name):
    told = pydoc.plain(pydoc.render_doc(DOORS[name][0]))
    arguments = told[told.index("Args:") : told.index("Raises:")]
    for setting in DEFAULTS:
        match = re.search(rf"^ *\|? *{setting}: (.*?)(?=^ *\|? *\w+: |\Z)", arguments, re.M | re.S)
        assert match is not None, setting
        assert "Default" in match.group(1), setting
        assert f"{setting}: " in told[: told.index("Args:")], setting  # in the signature


def test_every_key_of_conf_monitor_is_a_setting_and_every_setting_a_key():
    written = yaml.safe_load((CONF / "default.yaml").read_text(encoding="utf-8"))
    assert set(written) - {"_target_", "log_dir"} == set(DEFAULTS)
    thresholds = set(written["thresholds"]) - {"_target_"}
    assert thresholds == {field.name for field in fields(Thresholds)}
    for file in sorted(CONF.glob("*.yaml")):
        if file.name != "none.yaml":  # which leaves the monitor out
            keys = set(yaml.safe_load(file.read_text(encoding="utf-8")))
            assert keys - {"_target_", "log_dir", "defaults"} <= set(DEFAULTS), file.name


def test_what_conf_monitor_says_are_the_defaults():
    written = yaml.safe_load((CONF / "default.yaml").read_text(encoding="utf-8"))
    assert written.pop("summary") is False  # train.py prints its tables
    for name in set(DEFAULTS) - {"thresholds", "summary"}:
        default = DEFAULTS[name]
        assert written[name] == (list(default) if isinstance(default, tuple) else default), name
