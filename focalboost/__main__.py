"""Run the command line: ``python -m focalboost compare DATA --target COLUMN``."""

from focalboost.comparison._command import main

if __name__ == "__main__":
    main()
