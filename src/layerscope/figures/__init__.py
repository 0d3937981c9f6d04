"""What was seen of a step becomes its figures: a number per step, layer and name."""
