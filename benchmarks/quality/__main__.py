"""Makes the folder a command: ``python benchmarks/quality``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from quality.command_line import main

if __name__ == "__main__":
    main()
