"""Scores of a model on recordings whose truth is known: one file a task."""
