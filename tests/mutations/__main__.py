"""Run the mutation check: `python -m tests.mutations [KEY ...] [--most N] [--seed S]`.

KEY is the name of a file in models/losses or models/methods; without one, all files are checked. Printed are the share
of mutants that the tests catch, of each file and in all, and every mutant that survives: a gap in the tests, or a
change that computes the same. The exit code is 0 whatever survives, and 2 if a key is not known or the tests of an
unchanged file fail.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.mutations.mutants import Mutant, choose
from tests.mutations.trial import ROOT, Part, Verdict, attempt, copy_tree, warm_up

Row = tuple[Mutant, Verdict]


def parts() -> dict[str, Part]:
    """Everything that can be checked, by the name of its file."""
    found = (
        Part(package, path.stem)
        for package in ("losses", "methods")
        for path in sorted((ROOT / "models" / package).glob("*.py"))
        if path.stem != "__init__"
    )
    return {part.stem: part for part in found}


def check(part: Part, folder: Path, most: int, seed: int) -> Iterator[Row]:
    """Each mutant of one file and what the tests said of it; raises ValueError if they fail without a change."""
    source = (ROOT / part.file).read_text(encoding="utf-8")
    plain = attempt(folder, part, source)
    if plain.caught:
        raise ValueError(f"the tests of {part.file} fail without a change: {plain.by}")
    for mutant in choose(source, most, f"{seed} {part.stem}"):
        yield mutant, attempt(folder, part, mutant.source)


def told(part: Part, rows: Sequence[Row], *, all_of_them: bool) -> str:
    """The line of one file, and below it its survivors (or all mutants, with what caught them)."""
    caught = sum(verdict.caught for _, verdict in rows)
    lines = [f"{part.file}: {caught} of {len(rows)} caught"]
    for mutant, verdict in rows:
        if not verdict.caught:
            lines.append(f"  survived  {mutant}")
        elif all_of_them:
            lines.append(f"  caught    {mutant}  by {verdict.by}")
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
    everything: list[Row] = []
    with TemporaryDirectory() as name:
        copy_tree(Path(name))
        for part in [known[key] for key in args.key] or known.values():
            try:
                rows = list(check(part, Path(name), args.most, args.seed))
            except ValueError as error:
                sys.stderr.write(f"{error}\n")
                return 2
            everything += rows
            sys.stdout.write(told(part, rows, all_of_them=args.all) + "\n")
            sys.stdout.flush()
    caught = sum(verdict.caught for _, verdict in everything)
    share = caught / len(everything) if everything else float("nan")
    sys.stdout.write(f"in all {caught} of {len(everything)} caught, {100 * share:.1f} %\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
