"""A recording or an image as tokens, and back."""
