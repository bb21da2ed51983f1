"""Examine a loss of your own: finite at extremes, gradient, order, empty masks, cost; in a limited process."""

import argparse
import sys
from pathlib import Path

from app.cli import DONE, FAILED, Refused
from app.own_files import name_of, text_of
from models.examine import Check, Report, examine


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this command."""
    parser.add_argument("file", metavar="FILE", help="Python with one function loss(scores, *, temperature=0.1, ...)")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")


def run(args: argparse.Namespace) -> int:
    """Examine the file and tell; exit code 0 if every check passed, 1 if one did not."""
    path = Path(args.file)
    try:
        text = text_of(path)
    except ValueError as error:
        raise Refused(str(error)) from None
    report = examine(text, name_of(path))
    sys.stdout.write((report.to_json() if args.json else plain(report)) + "\n")
    return DONE if report.passed else FAILED


def plain(report: Report) -> str:
    """A line a check, what to mend below it, and the verdict."""
    width = max(len(check.name) for check in report.checks)
    lines = [line for check in report.checks for line in _lines(check, width)]
    failed = sum(not check.passed for check in report.checks)
    verdict = f"{report.key} may join." if report.passed else f"{report.name}: {failed} to mend."
    return "\n".join([*lines, verdict])


def _lines(check: Check, width: int) -> list[str]:
    number = "" if check.number is None else f"{check.number:.3g} "
    first = f"{'passed' if check.passed else 'FAILED'}  {check.name:{width}}  {number}{check.unit}".rstrip()
    return [first] if check.passed else [first, f"        {check.mend}"]
