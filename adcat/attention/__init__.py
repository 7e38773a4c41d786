"""Text Based Visual Attention: the text steers what Inception v3 sees (thesis, section 4.7)."""
