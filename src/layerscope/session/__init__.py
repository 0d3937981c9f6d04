"""One network watched, step by step: what is due, what is measured, what is found."""
