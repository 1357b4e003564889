"""`python -m voxfield` is the command line."""

from voxfield.cli import main

if __name__ == "__main__":
    main()
