"""Lessons as files: what is read, and one clear sentence for each fault."""

from pathlib import Path

import pytest

from app.lesson import Place
from app.lesson_file import lessons, load, named, parse

HEAD = """title = "Two temperatures"
paper = "A paper"
minutes = 3
status = "partly"
panels = ["weights", "scores"]
locked = ["lab"]

[setup]
data = "digits"
steps = 30

[[run]]
name = "cold"
config = { loss = { key = "infonce", knobs = { temperature = 0.05 } } }

[[run]]
name = "warm"
config = { loss = { key = "infonce", knobs = { temperature = 1.0 } } }

[[question]]
name = "how-many"
text = "How many?"
measure = "effective_negatives"
run = "cold"
low = 1
high = 400
near = 20

[[question]]
name = "which"
text = "Which?"
measure = "uniformity"

[[claim]]
name = "hardest"
statement = "Cold looks at the hardest."
paper = "It does."
measure = "hardest_share"
left = "cold"
relation = ">"
right = "warm"
status = "shows"
"""
BODY = """Before.

[[question: how-many]]
[[question: which]]

[[run]]

After.

[[panel: weights]]
[[what-if: temperature]]
"""


def text(head: str = HEAD, body: str = BODY) -> str:
    return f"+++\n{head}+++\n{body}"


def read(head: str = HEAD, body: str = BODY) -> object:
    return parse(text(head, body), "01_x.md", 1, "x")


def test_everything_that_stands_in_a_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "07_two-temperatures.md"
    path.write_text(text(), encoding="utf-8")
    lesson = load(path)
    assert (lesson.number, lesson.slug, lesson.title, lesson.minutes) == (7, "two-temperatures", "Two temperatures", 3)
    assert [(run.name, run.config.loss["temperature"], run.config.steps) for run in lesson.runs] == [
        ("cold", 0.05, 30),
        ("warm", 1.0, 30),
    ]
    number, choice = lesson.questions
    assert (number.run, number.low, number.high, number.near, choice.run) == ("cold", 1.0, 400.0, 20.0, "")
    assert lesson.claims[0].seeds == (0, 1, 2)
    assert lesson.measures == ("hardest_share", "effective_negatives", "uniformity")
    assert lesson.body == (
        "Before.",
        Place("question", "how-many"),
        Place("question", "which"),
        Place("run", ""),
        "After.",
        Place("panel", "weights"),
        Place("what-if", "temperature"),
    )
    assert lessons(tmp_path) == (lesson,)
    assert named("7", (lesson,)) is named("two-temperatures", (lesson,)) is lesson
    with pytest.raises(ValueError, match="no lesson called 'warm'; known: two-temperatures"):
        named("warm", (lesson,))


FAULTS = [
    ('title = "Two temperatures"', "title = 3", "title must be text, got 3"),
    ('title = "Two temperatures"', "", "title must be text, got nothing"),
    ("minutes = 3", "minutes = 30", "minutes must be a whole number from 1 to 10, got 30"),
    ('"partly"', '"sure"', "status must be one of verified, partly, unverified, got 'sure'"),
    ('["weights", "scores"]', '["weigths"]', r"panels must be a list of scores, .*, got \['weigths'\]"),
    ('["lab"]', '["door"]', r"locked must be a list of lab, live, notebook, what-if, got \['door'\]"),
    ("minutes = 3", "minutes = 3\nminuets = 4", "minuets is no field; known: "),
    ("temperature = 0.05", "temperature = 5", "run 1: config: .*temperature must be"),
    ('data = "digits"', 'data = "digit"', "run 1: config: .*digit"),
    ('name = "warm"', 'name = "cold"', r"two tables \[\[run\]\] have one name; names: cold, cold"),
    ("temperature = 1.0 } }", "temperature = 1.0 } }, steps = 9", "all runs must have the same steps"),
    ("high = 400", "high = 0", r"question 1: high must be more than low \(1\), got 0"),
    ("near = 20", "near = 0", "question 1: near must be a number above 0, got 0"),
    ('run = "cold"', 'run = "hot"', "question 1: run must be one of cold, warm, got 'hot'"),
    ('"hardest_share"', '"hardest"', "claim 1: measure must be one of auc, .* or one of them @step, got 'hardest'"),
    ('relation = ">"', 'relation = ">>"', "claim 1: relation must be one of >, <, ~, got '>>'"),
    ('relation = ">"', 'relation = "~"', "claim 1: within must be a number above 0 beside relation ~, got nothing"),
    ('right = "warm"', 'right = "hot"', "claim 1: right must be a number or one of cold, warm, got 'hot'"),
    ('status = "shows"', 'status = "yes"', "claim 1: status must be one of shows, does not show here, got 'yes'"),
    ('right = "warm"', 'right = "warm"\nseeds = [0, 1]', "claim 1: seeds must be a list of at least 3 different"),
    ('right = "warm"', 'right = "warm"\nseeds = [0, 1, 1]', "claim 1: seeds must be a list of at least 3 different"),
    ('title = "Two', "title = Two", "the head is not TOML"),
]


@pytest.mark.parametrize(("right", "wrong", "message"), FAULTS)
def test_a_fault_is_told_with_file_and_field(right: str, wrong: str, message: str) -> None:
    assert right in HEAD
    with pytest.raises(
        ValueError, match=f"01_x.md: .*{message}" if message.startswith("two") else f"01_x.md: {message}"
    ):
        read(HEAD.replace(right, wrong))


CURVE = """
[[question]]
name = "course"
text = "Draw it."
measure = "auc"
run = "cold"
steps = [0, 10, 20]
low = 0.5
high = 1
near = 0.02
"""
CURVES = [
    (
        "[0, 10, 20]",
        "[0, 10]",
        r"steps must be a rising list of 3 to 8 steps at which a run of 30 logs \(0, 10, 20\), got",
    ),
    ("[0, 10, 20]", "[0, 20, 10]", "steps must be a rising list"),
    ("[0, 10, 20]", "[0, 10, 25]", "steps must be a rising list"),
    ("[0, 10, 20]", "[0, 10, 20, 30]", "steps must be a rising list"),  # the last is never logged: the run has ended
    ("[0, 10, 20]", "20", "steps must be a rising list"),
    (
        '"auc"',
        '"hardest_share"',
        r"measure must be one that runs log over steps \(auc, .*\) beside steps, got 'hardest_",
    ),
    ('run = "cold"', "", "run must be one of cold, warm, got nothing"),
    ("near = 0.02", "", "near must be a number above 0, got nothing"),
]


def test_a_curve_is_measured_at_each_of_its_steps() -> None:
    lesson = parse(text(HEAD + CURVE, f"{BODY}\n[[question: course]]\n"), "01_x.md", 1, "x")
    asked = lesson.question("course")
    assert asked.steps == (0, 10, 20)
    assert asked.measures == ("auc@0", "auc@10", "auc@20")
    assert lesson.measures == ("hardest_share", "effective_negatives", "uniformity", "auc@0", "auc@10", "auc@20")


@pytest.mark.parametrize(("right", "wrong", "message"), CURVES)
def test_a_fault_of_a_curve_is_told(right: str, wrong: str, message: str) -> None:
    assert right in CURVE
    with pytest.raises(ValueError, match=f"01_x.md: question 3: {message}"):
        read(HEAD + CURVE.replace(right, wrong), f"{BODY}\n[[question: course]]\n")


PLACES = [
    ("[[panel: weights]]", "[[panel: map]]", r"\[\[panel: map\]\] must name one of weights, scores"),
    ("[[question: which]]", "[[question: what]]", r"\[\[question: what\]\] must name one of how-many, which"),
    ("[[question: which]]", "", r"the prose must hold \[\[question: which\]\] once, it does 0 times"),
    ("[[run]]", "[[run]]\n[[run]]", r"the prose must hold \[\[run\]\] once, it does 2 times"),
    ("[[what-if: temperature]]", "[[what-if: margin]]", r"\[\[what-if: margin\]\] must name one of temperature"),
]


@pytest.mark.parametrize(("right", "wrong", "message"), PLACES)
def test_a_place_that_names_nothing_is_told(right: str, wrong: str, message: str) -> None:
    assert right in BODY
    with pytest.raises(ValueError, match=f"01_x.md: {message}"):
        read(body=BODY.replace(right, wrong))


def test_a_file_of_another_name_or_without_a_head_is_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"notes.md: a lesson's file is called NN_slug.md"):
        load(tmp_path / "notes.md")
    with pytest.raises(ValueError, match=r"01_x.md: a lesson begins with TOML between two lines \+\+\+"):
        parse("# A heading\n", "01_x.md", 1, "x")


def test_more_runs_than_lanes_are_refused() -> None:
    extra = "".join(f'[[run]]\nname = "r{k}"\nconfig = {{ loss = "supcon" }}\n' for k in range(3))
    with pytest.raises(ValueError, match="a lesson has at most 4 runs, got 5"):
        read(HEAD.replace("[[question]]", f"{extra}\n[[question]]", 1))
