"""What models are worth: metrics, their uncertainty, calibration, error groups."""
