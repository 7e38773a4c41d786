"""Predictions for new ads, from whatever modalities an ad has."""
