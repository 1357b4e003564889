"""A recording as frames of features for other programs."""
