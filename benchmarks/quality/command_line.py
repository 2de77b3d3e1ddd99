"""``python benchmarks/quality run``, ``report`` and the two beside it."""

import argparse
import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "results" / "quality"


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser("quality", description=__doc__)
    commands = top.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="fit what is missing")
    run.add_argument("--problems", nargs="+", metavar="NAME", help="all unless named")
    run.add_argument("--methods", nargs="+", metavar="NAME", help="all unless named")
    run.add_argument("--hosts", nargs="+", metavar="NAME", help="all unless named")
    run.add_argument("--seeds", type=int, default=5)
    run.add_argument("--rounds", type=int, default=300, help="the most of a fit")
    run.add_argument("--limit", type=float, default=120, help="seconds for a fit")
    run.add_argument("--jobs", type=int, default=1, help="fits at a time")
    run.add_argument("--smoke", action="store_true", help="small, simulated rows only")
    report = commands.add_parser("report", help="write RESULTS.md")
    report.add_argument("--output", type=Path, default=ROOT / "RESULTS.md")
    budget = commands.add_parser("budget", help="gradient budget on card fraud")
    agreement = commands.add_parser("agreement", help="compare_losses on three sets")
    for command in (run, report, budget, agreement):
        command.add_argument("--results", type=Path, default=RESULTS, metavar="FOLDER")
    return top


def main(arguments: list[str] | None = None) -> None:
    # Read when a host is first imported: idle threads otherwise spin.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    command_line = parser()
    options = command_line.parse_args(arguments)
    call = {"run": _run, "report": _report, "budget": _budget, "agreement": _agreement}
    call[options.command](command_line, options)


def _run(command_line: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    from quality.methods import BY_KEY
    from quality.problems import BY_NAME, PROBLEMS, SMOKE_PROBLEMS
    from quality.results import Results, Settings
    from quality.run import run

    chosen = SMOKE_PROBLEMS if options.smoke else PROBLEMS
    problems = options.problems or [problem.name for problem in chosen]
    unknown = sorted(set(problems) - set(BY_NAME))
    methods = options.methods or sorted({method for _, method in BY_KEY})
    unknown += sorted(set(methods) - {method for _, method in BY_KEY})
    hosts = options.hosts or sorted({host for host, _ in BY_KEY})
    unknown += sorted(set(hosts) - {host for host, _ in BY_KEY})
    if unknown:
        command_line.error(f"no such problem, method or host: {', '.join(unknown)}")
    keys = [key for key in BY_KEY if key[0] in hosts and key[1] in methods]
    settings = Settings(options.rounds, options.limit)
    run(Results(options.results), settings, problems, options.seeds, keys, options.jobs)


def _report(command_line: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    from quality.report import write_report

    write_report(options.results, options.output)


def _budget(command_line: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    from quality.budget import write_budget

    write_budget(options.results)


def _agreement(
    command_line: argparse.ArgumentParser, options: argparse.Namespace
) -> None:
    from quality.agreement import write_agreement

    write_agreement(options.results)
