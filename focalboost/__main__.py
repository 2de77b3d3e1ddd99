"""The command line: ``python -m focalboost compare DATA --target COLUMN``."""

from focalboost._command import main

if __name__ == "__main__":
    main()
