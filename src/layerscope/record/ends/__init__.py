"""What goes into a network and what comes out: its data, its outputs, the loss's gradient."""
