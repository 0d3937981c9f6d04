"""A network's parameters: what they are called, who owns them, what a step changes about them."""
