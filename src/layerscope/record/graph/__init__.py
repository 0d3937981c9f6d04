"""What autograd's graph tells of a network and of its loss."""
