"""Photos: decoding, augmentation, Inception v3 and its training."""
