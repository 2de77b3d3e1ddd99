"""``python -m focalboost`` as a process."""

import os
import subprocess
import sys

from optional import version

#: matplotlib before 3.10 warns when it is imported beside a newer pyparsing.
STRICT = ("-W", "error") if version("matplotlib") >= (3, 10) else ()


def run(folder, *arguments):
    """Run the command in a folder."""
    return subprocess.run(
        [sys.executable, *STRICT, "-m", "focalboost", *map(str, arguments)],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
