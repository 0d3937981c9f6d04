"""A network whose tensors several processes share: parts, copies and sums of them."""
