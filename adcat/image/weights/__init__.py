"""Weights of networks that the package brings along, and what converts them."""
