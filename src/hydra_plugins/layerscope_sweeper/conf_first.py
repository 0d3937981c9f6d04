"""conf/hydra/launcher has the launchers' settings: the plugins' own of the same name step aside.

Hydra 1.3 takes a plugin's settings for the schema of a config file of the same name, and warns on
every composition that it will not do so any more. Hydra reads the plugins in alphabetical order,
this one after those that it amends.
"""

from hydra.core.config_store import ConfigStore

_launchers = ConfigStore.instance().repo.get("hydra", {}).get("launcher", {})
for _name in ("joblib", "ray", "submitit_local"):
    _launchers.pop(f"{_name}.yaml", None)
