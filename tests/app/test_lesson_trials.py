"""Claims judged over seeds: the interval by hand, the verdicts, the command on a tiny lesson, and the lessons kept."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app import lesson_table, lesson_trials
from app.address import MIXTURE
from app.cli import main
from app.commands.lessons import NUMBERS, TABLE
from app.lesson import NOT_HERE, SHOWS, Claim
from app.lesson_file import FOLDER, lessons, load
from app.lesson_trials import UNDECIDED, Measured, interval, judge
from app.views.lab_panels import PANELS
from models.diagnostics import readings
from models.diagnostics.storage import load_summaries
from models.diagnostics.summary import CLASS_POINTS
from models.training.config import Part, RunConfig
from tests.app.test_lesson_file import text

LESSONS = lessons()
KEPT = lesson_trials.read(FOLDER / NUMBERS)
CLAIM = Claim("c", "s", "p", "auc", "a", ">", "b", SHOWS)


def measured(a: list[float], b: list[float]) -> Measured:
    return Measured({"a": {"auc": a}, "b": {"auc": b}}, (0, 1, 2), 1.0, "x")


def test_the_interval_by_hand() -> None:
    """Mean 2, standard deviation 1, three numbers: 2 +- 4.30265 / sqrt(3)."""
    assert interval([1.0, 2.0, 3.0]) == pytest.approx((2.0, 2.0 - 2.484138, 2.0 + 2.484138), abs=1e-5)


@pytest.mark.parametrize(
    ("a", "relation", "verdict"),
    [
        ([0.9, 0.91, 0.92], ">", SHOWS),
        ([0.9, 0.91, 0.92], "<", NOT_HERE),
        ([0.1, 0.11, 0.12], ">", NOT_HERE),
        ([0.1, 0.11, 0.12], "<", SHOWS),
        ([0.1, 0.5, 0.95], ">", UNDECIDED),
        ([0.5, 0.51, 0.49], "~", SHOWS),
        ([0.9, 0.91, 0.92], "~", NOT_HERE),
        ([0.1, 0.5, 0.95], "~", UNDECIDED),
        ([float("nan"), 0.9, 0.9], ">", UNDECIDED),
    ],
)
def test_verdicts(a: list[float], relation: str, verdict: str) -> None:
    claim = replace(CLAIM, relation=relation, within=0.1 if relation == "~" else 0.0)
    against_run = judge(claim, measured(a, [0.5, 0.5, 0.5]))
    against_number = judge(replace(claim, right=0.5), measured(a, [0.0, 0.0, 0.0]))
    assert against_run.verdict == against_number.verdict == verdict
    assert against_run.agrees == (verdict == SHOWS)
    assert judge(replace(claim, status=NOT_HERE), measured(a, [0.5] * 3)).agrees == (verdict != SHOWS)


def test_differences_are_paired_by_seed() -> None:
    """Seeds differ by far more than the runs: only the pairs tell."""
    found = judge(CLAIM, measured([0.11, 0.51, 0.91], [0.10, 0.50, 0.90]))
    assert found.verdict == SHOWS
    assert found.difference == pytest.approx(0.01)
    assert judge(replace(CLAIM, seeds=(2, 1, 0)), measured([0.11, 0.51, 0.91], [0.10, 0.50, 0.90])).verdict == SHOWS


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "lessons"
    made.mkdir()
    return made


def test_verify_trains_tells_and_keeps(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "01_tiny.md").write_text(text().replace("steps = 30", "steps = 4"), encoding="utf-8")
    assert main(["lessons", "verify", "tiny", "--write", "--folder", str(folder)]) == 0
    told = capsys.readouterr().out
    assert "01 hardest" in told
    assert "verdict: shows" in told
    assert "push carried by the hardest 1 % of negatives" in told
    kept = lesson_trials.read(folder / NUMBERS)["tiny"]
    lesson = load(folder / "01_tiny.md")
    assert kept.fingerprint == lesson_trials.fingerprint(lesson)
    assert [len(kept.values[run]["hardest_share"]) for run in ("cold", "warm")] == [3, 3]
    assert "| 01 hardest | Cold looks at the hardest. | It does. |" in (folder / TABLE).read_text(encoding="utf-8")
    frames = load_summaries(lesson_trials.replay_path(folder, lesson))
    assert [frame.step for frame in frames] == [0, 0, 1, 4] * 2
    assert readings.read(frames[3], "hardest_share") == pytest.approx(kept.values["cold"]["hardest_share"][0], rel=1e-2)


def test_what_a_run_logs_is_read_as_last_logged() -> None:
    """Steps 0 to 49 are logged every tenth: the row of step 40 is the last one after 45 steps."""
    (shown,) = lesson_trials.record(RunConfig(steps=45), (1.0,))
    for name in ("pos_mean", "neg_mean", "neg_var"):
        assert readings.read(shown, name) == readings.read(shown, f"{name}@40") == shown.curves.measured[name][4]
    (fresh,) = lesson_trials.record(RunConfig(steps=1), (0.0,))
    assert np.isnan(readings.read(fresh, "neg_mean"))


def test_a_recording_is_lean_and_draws_all_the_same(folder: Path) -> None:
    """What no lesson draws is gone; every panel's rows and sentences are those of the whole summary."""
    whole = lesson_trials.record(RunConfig(steps=2), (1.0,))
    lesson = replace(LESSONS[0], number=99, panels=("weights",))
    lesson_trials.keep_replay(folder, lesson, whole)
    assert load_summaries(lesson_trials.replay_path(folder, lesson))[0].classes is None
    lesson = replace(lesson, panels=tuple(PANELS))
    lesson_trials.keep_replay(folder, lesson, whole)
    (kept,) = load_summaries(lesson_trials.replay_path(folder, lesson))
    assert kept.weights is not None
    assert kept.roc_unseen is not None
    assert [len(kept.weights.heat), len(kept.roc.replicates), len(kept.roc_unseen.fpr)] == [0, 0, 0]
    known = [name for name in readings.READINGS if np.isfinite(readings.read(whole[0], name))]
    assert len(known) > 12
    for name in known:
        assert readings.read(kept, name) == pytest.approx(readings.read(whole[0], name), rel=2e-3, abs=1e-6), name
    drawn = [panel for name, panel in PANELS.items() if name not in ("map", MIXTURE)]
    assert len(drawn) > 7
    for panel in drawn:
        assert list(panel.rows(whole)) == list(panel.rows([kept]))
        assert len(panel.rows(whole)) == len(panel.rows([kept])) > 0
        assert panel.sentence(whole)[:20] == panel.sentence([kept])[:20]


def test_a_run_logs_what_a_curve_may_ask_for() -> None:
    (frame,) = lesson_trials.record(RunConfig(steps=1), (1.0,))
    assert set(readings.LOGGED) <= set(frame.curves.measured)
    assert set(readings.LOGGED) <= set(readings.READINGS)
    assert readings.read(frame, "auc@0") == pytest.approx(frame.curves.measured["auc"][0])


def test_a_recording_holds_what_its_panels_draw(folder: Path) -> None:
    """Points for the map, curves for the ROC: where neither panel is, neither is kept, and no number changes."""
    whole = lesson_trials.record(RunConfig(loss=Part("cross_entropy"), steps=2), (1.0,))
    kept = {}
    for number, panels in ((98, ("map", "roc")), (99, ("scores",))):
        lesson = replace(LESSONS[0], number=number, panels=panels)
        lesson_trials.keep_replay(folder, lesson, whole)
        (kept[number],) = load_summaries(lesson_trials.replay_path(folder, lesson))
    found, lean = kept[98], kept[99]
    assert found.margins is not None
    assert lean.margins is not None
    assert found.points.xy.shape == whole[0].points.xy.shape
    assert found.margins.tpr.shape == (8, CLASS_POINTS)
    assert len(found.roc.fpr) > 2
    assert [len(lean.points.xy), len(lean.points.seen), len(lean.margins.tpr), len(lean.roc.fpr)] == [0, 0, 0, 0]
    assert [readings.read(lean, name) for name in ("auc", "accuracy")] == [
        readings.read(found, name) for name in ("auc", "accuracy")
    ]


def test_a_claim_that_fails_ends_with_1(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = text().replace("steps = 30", "steps = 1").replace('relation = ">"', 'relation = "<"')
    (folder / "01_tiny.md").write_text(wrong, encoding="utf-8")
    assert main(["lessons", "verify", "--folder", str(folder)]) == 1
    assert "does not show here BUT the lesson says: shows" in capsys.readouterr().out


def test_the_list_and_what_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lessons"]) == 0
    assert "what-temperature-does" in capsys.readouterr().out
    assert main(["lessons", "verify", "nonsense"]) == 2
    assert "no lesson called 'nonsense'; known: what-temperature-does" in capsys.readouterr().err
    assert main(["lessons", "--folder", str(folder)]) == 2
    assert "holds no lesson" in capsys.readouterr().err


def test_there_are_lessons_and_each_has_its_numbers() -> None:
    assert len(LESSONS) >= 3
    assert list(KEPT) == [lesson.slug for lesson in LESSONS]


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.slug)
def test_every_claim_says_what_was_measured(lesson: lesson_trials.Lesson) -> None:
    """The numbers belong to the lesson as it stands, each claim agrees with them, and RESULTS.md tells them."""
    kept = KEPT[lesson.slug]
    assert kept.fingerprint == lesson_trials.fingerprint(lesson), "run: python -m app lessons verify --write"
    judged = [judge(claim, kept) for claim in lesson.claims]
    assert [one.claim.name for one in judged if not one.agrees] == []
    table = (FOLDER / TABLE).read_text(encoding="utf-8")
    for one in judged:
        line = next(line for line in table.splitlines() if line.startswith(f"| {lesson.number:02d} {one.claim.name} |"))
        assert one.claim.statement in line
        assert lesson_table.difference(one) in line
        assert line.endswith(f"| {one.verdict} |")


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.slug)
def test_every_recording_is_of_its_lesson(lesson: lesson_trials.Lesson) -> None:
    frames = load_summaries(lesson_trials.replay_path(FOLDER, lesson))
    configs = list(dict.fromkeys(frame.config for frame in frames))
    assert configs == [replace(run.config, seed=lesson.seeds[0]).to_json() for run in lesson.runs]
    assert {frame.step for frame in frames} >= {0, lesson.steps}
    last = [frame for frame in frames if frame.step == lesson.steps]
    kept = KEPT[lesson.slug].values
    for frame, run in zip(last, lesson.runs, strict=True):
        for name in lesson.measures:
            assert readings.read(frame, name) == pytest.approx(kept[run.name][name][0], rel=0.02, abs=0.02, nan_ok=True)


def test_the_first_lesson_still_shows_when_trained_anew() -> None:
    """One seed of two runs, trained now: the numbers that are kept, to what another machine may round."""
    lesson = LESSONS[0]
    for run in lesson.runs[:2]:
        shown = lesson_trials.record(replace(run.config, seed=0), (1.0,))[-1]
        now = readings.read(shown, "uniformity")
        assert now == pytest.approx(KEPT[lesson.slug].values[run.name]["uniformity"][0], abs=0.1)
