"""``python -m focalboost`` and scripts as processes."""

import os
import runpy
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


def run_script(path):
    """Run a script in this process and in its folder, with a file for what it says.

    A process that is forked calls it. Multiprocessing finds it by the name of this
    module, as it does not find functions of a test.
    """
    os.chdir(path.parent)
    with path.with_suffix(".txt").open("w") as file:
        for stream in (sys.stdout, sys.stderr):
            os.dup2(file.fileno(), stream.fileno())
    runpy.run_path(str(path), run_name="__main__")
