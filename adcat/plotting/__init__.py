"""Charts and galleries."""
