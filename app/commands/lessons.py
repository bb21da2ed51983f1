"""List the lessons, or train everything that they claim and tell what shows."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from app.cli import DONE, FAILED, Refused

if TYPE_CHECKING:
    from app.lesson import Lesson

FOLDER = Path(__file__).parents[1] / "lessons"
NUMBERS, TABLE = "results.json", "RESULTS.md"


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this command."""
    parser.add_argument("action", nargs="?", choices=("list", "verify"), default="list")
    parser.add_argument("name", nargs="?", help="one lesson, by number or slug; without it all of them")
    parser.add_argument("--write", action="store_true", help="keep numbers, RESULTS.md and the recordings")
    parser.add_argument("--markdown", action="store_true", help="list: the table that stands in README.md")
    parser.add_argument("--folder", metavar="DIR", default=str(FOLDER), help="where the lessons stand")


def run(args: argparse.Namespace) -> int:
    """List, or verify; raises Refused if a lesson cannot be read."""
    # The lessons' runs are checked against the catalogue, which imports torch: --help answers without it.
    from app.lesson_file import lessons, named

    folder = Path(args.folder)
    try:
        known = lessons(folder)
        chosen = known if args.name is None else (named(args.name, known),)
    except ValueError as error:
        raise Refused(str(error)) from None
    if not known:
        raise Refused(f"--folder {folder} holds no lesson: a lesson's file is called NN_slug.md")
    if args.action == "list" and args.markdown:
        from app import lesson_table, lesson_trials  # as above

        sys.stdout.write(lesson_table.readme(chosen, lesson_trials.read(folder / NUMBERS)) + "\n")
        return DONE
    if args.action == "list":
        lines = [
            f"{lesson.number:2d}  {lesson.slug}  {lesson.title} ({lesson.paper}, {lesson.status})" for lesson in chosen
        ]
        sys.stdout.write("\n".join(lines) + "\n")
        return DONE
    return _verify(folder, known, chosen, write=args.write)


def _verify(folder: Path, known: "tuple[Lesson, ...]", chosen: "tuple[Lesson, ...]", *, write: bool) -> int:
    """Train, print a claim at a time, keep; 1 if a lesson says other than what was measured."""
    from app import lesson_table, lesson_trials  # as above

    found = lesson_trials.read(folder / NUMBERS)
    agreed = True
    for lesson in chosen:
        measured, replay = lesson_trials.measure(lesson, _tell)
        found[lesson.slug] = measured
        judged = [lesson_trials.judge(claim, measured) for claim in lesson.claims]
        agreed = agreed and all(one.agrees for one in judged)
        sys.stdout.write(lesson_table.plain([lesson_table.row(lesson, one, measured.seconds) for one in judged]) + "\n")
        if write:
            lesson_trials.keep_replay(folder, lesson, replay)
    if write:
        kept = {lesson.slug: found[lesson.slug] for lesson in known if lesson.slug in found}
        lesson_trials.save(folder / NUMBERS, kept)
        # From the numbers as they were kept: rounded there, an interval may differ in its last digit.
        told = lesson_table.markdown(known, lesson_trials.read(folder / NUMBERS))
        (folder / TABLE).write_text(told, encoding="utf-8")
    return DONE if agreed else FAILED


def _tell(line: str) -> None:
    sys.stderr.write(line + "\n")
