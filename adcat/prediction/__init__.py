"""Categories for new ads: whatever an ad has is answered through the model that can read it."""
