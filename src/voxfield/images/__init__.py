"""Images of files as numbers, and back."""
