"""Text Based Visual Attention: the text weighs what Inception v3 sees (thesis, section 4.7)."""
