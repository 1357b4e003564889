"""A recording as one vector whose direction says who speaks, and whether two recordings are of one speaker."""
