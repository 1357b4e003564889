"""Brief facial expressions in a video."""
