"""Text classifiers and the text that they read."""
