"""python benchmarks/study run [--smoke], python benchmarks/study analyse."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

BENCHMARKS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(BENCHMARKS))


def main(arguments: Sequence[str] | None = None) -> None:
    from study.analyse import analyse
    from study.run import Journal, run, stages

    parser = argparse.ArgumentParser(prog="python benchmarks/study")
    parser.add_argument("command", choices=("run", "analyse"))
    parser.add_argument("--smoke", action="store_true", help="a bit of each stage")
    parser.add_argument("--stages", nargs="*", choices=tuple(stages()), metavar="STAGE")
    parser.add_argument("--jobs", type=int, default=2, help="fits at a time")
    parser.add_argument("--hours", type=float, default=1e6, help="end after these")
    parser.add_argument("--results", type=Path, help="the folder of the journal")
    options = parser.parse_args(arguments)
    folder = options.results or BENCHMARKS / "results" / "study"
    if options.smoke and options.results is None:
        folder = Path(tempfile.mkdtemp(prefix="study-"))
    journal = Journal(folder)
    if options.command == "run":
        known = stages(is_smoke=options.smoke)
        names = [name for name in known if name in (options.stages or known)]
        run(journal, names, options.jobs, options.hours, is_smoke=options.smoke)
    if options.command == "analyse" or options.smoke:
        analyse(journal.rows(), folder)


if __name__ == "__main__":
    main()
