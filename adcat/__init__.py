"""Puts second-hand ads into the right category from their text and photo."""

__version__ = "0.1.0"
