"""Predictions for new ads, from whatever modalities an ad has.

`load` reads what `adcat export` has written: `load("exported").predict([{"title": "Fin soffa"}])`.
"""

from adcat.prediction.export_folder import load

__all__ = ["load"]
