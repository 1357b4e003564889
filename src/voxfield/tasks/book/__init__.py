"""Enrolled speakers that last in a file, and who of them speaks in a recording."""
