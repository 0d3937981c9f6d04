"""Who trains: each file meets one framework, and nobody else."""
