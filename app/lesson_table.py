"""What verified lessons say in a table: of the terminal, and of RESULTS.md."""

from collections.abc import Mapping, Sequence

from app.lesson import NOT_HERE, SHOWS, Claim, Lesson
from app.lesson_trials import UNDECIDED, Judged, Measured, judge
from models.diagnostics import readings

HEAD = ("claim", "the paper says", "measured", "verdict", "seconds")
INTRODUCTION = """# What the lessons measured

Written by `python -m app lessons verify --write`; not to be edited. Each claim compares two runs, or a run and a
number, over seeds: the difference is the mean over seeds of left minus right with its 95 % interval (Student's t,
paired).
"shows": the whole interval lies on the side that is claimed. "does not show here": it lies on the other side.
"not distinguishable": it does not decide. A lesson may claim only what shows.
"""


def difference(judged: Judged) -> str:
    """Both sides, their difference and its interval, with the unit."""
    claim = judged.claim
    sides = f"{judged.left:.3g} {relation(claim)} {judged.right:.3g}"
    reach = f"{judged.difference:+.3g} [{judged.low:.3g}, {judged.high:.3g}]"
    return f"{readings.says(claim.measure)}: {sides}, difference {reach} {readings.unit(claim.measure)}"


def relation(claim: Claim) -> str:
    """The relation in a table: ~ says how near."""
    return f"within {claim.within:g} of" if claim.relation == "~" else claim.relation


def row(lesson: Lesson, judged: Judged, seconds: float) -> tuple[str, ...]:
    """The cells of one claim."""
    wrong = "" if judged.agrees else f" BUT the lesson says: {judged.claim.status}"
    name = f"{lesson.number:02d} {judged.claim.name}"
    return name, judged.claim.paper, difference(judged), judged.verdict + wrong, f"{seconds:.0f}"


def plain(rows: Sequence[tuple[str, ...]]) -> str:
    """Claims as paragraphs of lines: the texts are too long for columns of a terminal."""
    return "\n".join(
        "\n".join([cells[0], *(f"  {n}: {c}" for n, c in zip(HEAD[1:], cells[1:], strict=True))]) for cells in rows
    )


def readme(lessons: Sequence[Lesson], found: Mapping[str, Measured]) -> str:
    """The table that stands in README.md: a row a lesson, with how many of its claims show."""
    lines = ["| | lesson | paper | claims that show, that do not, undecided |", "| --- | --- | --- | --- |"]
    for lesson in lessons:
        told = [judge(claim, found[lesson.slug]).verdict for claim in lesson.claims] if lesson.slug in found else []
        counts = ", ".join(str(told.count(verdict)) for verdict in (SHOWS, NOT_HERE, UNDECIDED))
        paper = f"{lesson.paper} ({lesson.status})".replace("|", "/")
        lines.append(f"| {lesson.number} | {lesson.title} | {paper} | {counts if told else 'not measured'} |")
    return "\n".join(lines)


def markdown(lessons: Sequence[Lesson], found: Mapping[str, Measured]) -> str:
    """RESULTS.md: a heading and a table a lesson."""
    parts = [INTRODUCTION]
    for lesson in lessons:
        measured = found.get(lesson.slug)
        if measured is None:
            parts.append(f"## {lesson.number}. {lesson.title}\n\nNot measured.\n")
            continue
        seeds = ", ".join(map(str, measured.seeds))
        spent = f"{measured.seconds:.0f} s, text {measured.fingerprint}"
        about = f"Paper: {lesson.paper} ({lesson.status}). Seeds {seeds}; {spent}."
        head = "| " + " | ".join(["claim", "says", *HEAD[1:4]]) + " |\n|" + "---|" * 5
        lines = [_line(lesson, judge(claim, measured), measured.seconds) for claim in lesson.claims]
        parts.append("\n".join([f"## {lesson.number}. {lesson.title}", "", about, "", head, *lines, ""]))
    return "\n".join(parts)


def _line(lesson: Lesson, judged: Judged, seconds: float) -> str:
    name, paper, told, verdict, _ = row(lesson, judged, seconds)
    return "| " + " | ".join([name, judged.claim.statement, paper, told, verdict]).replace("\n", " ") + " |"
