"""Run the mutation check: `python -m tests.mutations [KEY ...] [--most N] [--seed S]`.

KEY is the name of a file in models/losses or models/methods; without one, all files are checked. Printed is a table of
the mutants that the tests of each file catch, with the total, and every mutant that survives: a gap in the tests, or a
change that computes the same. Those that are known to (tests/mutations/same.py) are not tried and stand in a column of
their own. The exit code is 0 whatever survives, and 2 if a key is not known or the tests of an unchanged file fail.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.mutations.mutants import Mutant, choose
from tests.mutations.same import why_same
from tests.mutations.trial import ROOT, Part, Verdict, attempt, copy_tree, warm_up

Row = tuple[Mutant, Verdict]
HEAD = "| file | mutants | caught | survived | the same |\n|---|---|---|---|---|"


@dataclass(frozen=True)
class Report:
    """What the tests of one file said of each mutant, and the mutants that are known to compute the same."""

    name: str
    rows: tuple[Row, ...]
    same: tuple[tuple[Mutant, str], ...]  # with the reason

    @property
    def caught(self) -> int:
        """How many mutants the tests noticed."""
        return sum(verdict.caught for _, verdict in self.rows)

    def line(self) -> str:
        """A row of the table."""
        survived = len(self.rows) - self.caught
        return f"| {self.name} | {len(self.rows)} | {self.caught} | {survived} | {len(self.same)} |"


def parts() -> dict[str, Part]:
    """Everything that can be checked, by the name of its file."""
    found = (
        Part(package, path.stem)
        for package in ("losses", "methods")
        for path in sorted((ROOT / "models" / package).glob("*.py"))
        if path.stem != "__init__"
    )
    return {part.stem: part for part in found}


def check(part: Part, folder: Path, most: int, seed: int) -> Report:
    """All drawn mutants of one file against its tests; raises ValueError if they fail without a change."""
    source = (ROOT / part.file).read_text(encoding="utf-8")
    plain = attempt(folder, part, source)
    if plain.caught:
        raise ValueError(f"the tests of {part.file} fail without a change: {plain.by}")
    lines, mutants = source.splitlines(), choose(source, most, f"{seed} {part.stem}")
    drawn = [(mutant, why_same(part.stem, lines[mutant.line - 1], mutant)) for mutant in mutants]
    rows = tuple((mutant, attempt(folder, part, mutant.source)) for mutant, why in drawn if not why)
    return Report(part.file.as_posix(), rows, tuple(pair for pair in drawn if pair[1]))


def told(reports: Sequence[Report], *, all_of_them: bool) -> str:
    """Below the table: the total, then the survivors and the same (or all mutants, with what caught them)."""
    rows = [(report.name, *row) for report in reports for row in report.rows]
    together = Report("in all", tuple(row for report in reports for row in report.rows), ())
    share = 100 * together.caught / len(rows) if rows else float("nan")
    same = [(report.name, *pair) for report in reports for pair in report.same]
    lines = [f"| {together.name} | {len(rows)} | {together.caught} | {len(rows) - together.caught} | {len(same)} |", ""]
    lines.append(f"{together.caught} of {len(rows)} caught, {share:.1f} %")
    lines += [f"survived  {name} {mutant}" for name, mutant, verdict in rows if not verdict.caught]
    lines += [f"the same  {name} {mutant}: {why}" for name, mutant, why in same]
    if all_of_them:
        lines += [f"caught    {name} {mutant}  by {verdict.by}" for name, mutant, verdict in rows if verdict.caught]
    return "\n".join(lines)


def main(argv: Sequence[str]) -> int:
    """Check the files that are named, print the report; returns the exit code."""
    known = parts()
    parser = argparse.ArgumentParser(prog="python -m tests.mutations", description=__doc__.splitlines()[0])
    parser.add_argument("key", nargs="*", help="files to check, by name; without one, all")
    parser.add_argument("--most", type=int, default=6, help="mutants of each file (6)")
    parser.add_argument("--seed", type=int, default=0, help="which of them are drawn (0)")
    parser.add_argument("--all", action="store_true", help="list those that were caught too, with the test")
    args = parser.parse_args(argv)
    unknown = [key for key in args.key if key not in known]
    if unknown:
        sys.stderr.write(f"no loss or method called {unknown[0]!r}; known: {', '.join(known)}\n")
        return 2
    warm_up()
    sys.stdout.write(f"{HEAD}\n")
    reports: list[Report] = []
    with TemporaryDirectory() as name:
        copy_tree(Path(name))
        for part in [known[key] for key in args.key] or known.values():
            try:
                reports.append(check(part, Path(name), args.most, args.seed))
            except ValueError as error:
                sys.stderr.write(f"{error}\n")
                return 2
            sys.stdout.write(f"{reports[-1].line()}\n")
            sys.stdout.flush()
    sys.stdout.write(f"{told(reports, all_of_them=args.all)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
