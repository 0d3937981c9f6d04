"""Which loss it is, told by its gradient on the output. Pure numpy."""
