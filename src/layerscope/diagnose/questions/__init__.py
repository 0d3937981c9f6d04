"""What rules ask of a run before they judge it, a file for each question."""
