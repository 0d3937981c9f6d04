"""Functions that a network calls without a module: activations, attention, dropout."""
