"""Which kind of noise a recording holds, when, and how loud."""
