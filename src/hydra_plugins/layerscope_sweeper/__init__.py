"""LayerScope's sweepers: Hydra takes plugins from the package `hydra_plugins` only."""
