"""Ways to combine the two baselines into one model."""
