"""LayerScope: what every layer of a network does at every training step, and what is wrong with it."""
