"""What rich prints."""
