"""What a network is made of: its layers, their names, functions and modes."""
