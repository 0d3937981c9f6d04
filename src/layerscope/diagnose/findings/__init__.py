"""What was found, how sure it is, and in which order it is told."""
