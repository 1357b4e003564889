"""Noise out, speech in: files, live sound, chosen kinds of noise kept, loudness."""
