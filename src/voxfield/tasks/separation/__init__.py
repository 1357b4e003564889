"""One signal for each voice of a recording, and how many voices there are."""
