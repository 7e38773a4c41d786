"""Predictions within Spark: `adcat.spark.predict(ads, "exported")`, ads being a DataFrame."""

from adcat.spark.frames import predict

__all__ = ["predict"]
