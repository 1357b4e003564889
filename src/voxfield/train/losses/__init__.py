"""Losses and the scores that order them."""
