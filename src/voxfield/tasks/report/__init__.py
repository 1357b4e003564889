"""Pages that stand alone: players, spectrograms, plots with axes."""
