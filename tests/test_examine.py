"""The examination: one loss made to fail each check, what ends a loss that does not come back, and what it tells."""

import json
from collections.abc import Callable, Iterator

import pytest
import torch

from models import examination_checks as checks
from models.custom import REGISTER
from models.examine import CHECKS, Report, examine
from models.geometry import Embeddings, score
from models.losses import infonce
from models.own_source import EXAMPLE
from tests.own import RACE, knowing

HEAD = "def loss(scores, *, temperature=0.1):\n"
GAP = "    gap = F.softplus(scores.s * scores.neg - scores.s * scores.pos)\n"
# check -> a loss that fails it and no earlier one, and words of its remedy
FAILING = {
    "number": (HEAD + "    return scores.s * 2.0", "returned shape (8, 8); one number is needed"),
    "gradient": (HEAD + "    return scores.s.detach().sum()", "No gradient reaches the scores"),
    "extremes": (
        HEAD + "    e = (scores.s / temperature).exp()\n"
        "    return -torch.log((e * scores.pos).sum() / (e.exp() * scores.neg).sum())",
        "Use logsumexp",
    ),
    "numerical": (HEAD + GAP + "    return (gap * gap.detach()).mean()", "look for .detach()"),
    "shuffled": (HEAD + GAP + "    return (gap * torch.arange(len(gap))).mean()", "change places"),
    "repeated": (HEAD + GAP + "    return gap.mean() * (1 + torch.rand(()))", "Leave out random numbers"),
    "no_positives": (HEAD + GAP + "    return (gap * scores.pos).sum() / scores.pos.sum()", "without a positive pair"),
    "no_negatives": (HEAD + GAP + "    return (gap * scores.neg).sum() / scores.neg.sum()", "without a negative pair"),
    "one_item": (HEAD + GAP + "    return gap.sum() / (len(gap) - 1)", "without a pair"),
    "candidates": (HEAD + GAP + "    return (gap + gap.T).mean()", "ONE_TOWER = True"),
}


@pytest.fixture(autouse=True)
def running() -> Iterator[None]:
    with knowing(runs=True):
        yield


def case(text: str) -> checks.Case:
    return checks.Case(REGISTER.add(text, "mine"))


@pytest.mark.parametrize("key", FAILING)
def test_each_check_has_a_loss_that_fails_it(key: str) -> None:
    text, words = FAILING[key]
    found = checks.CHECKS[key](case(text))
    assert not found.passed
    assert words in found.mend
    assert checks.CHECKS[key](case(RACE)).passed


def test_every_check_is_named_and_failed_by_some_loss() -> None:
    assert set(CHECKS) == {"declared", *checks.CHECKS}
    assert set(checks.CHECKS) == {*FAILING, "cost"}


def test_cost_is_told_in_units_of_infonce() -> None:
    def ticking(*seconds: float) -> Callable[[], float]:
        """A clock that says how long each call took, one after the other."""
        moments = iter([moment for taken in seconds for moment in (0.0, taken)])
        return lambda: next(moments)

    five = checks.COST_TIMES
    dear = checks.cost(case(RACE), ticking(*[0.9] * (five - 1), 0.6, *[0.01] * five))
    assert (dear.passed, dear.number) == (False, pytest.approx(60.0))
    assert "60 times as long" in dear.mend
    fair = checks.cost(case(RACE), ticking(*[0.02] * five, *[0.01] * five))
    assert (fair.passed, fair.number) == (True, pytest.approx(2.0))


def test_numbers_are_those_of_the_loss() -> None:
    scores = checks.batch(dtype=torch.float32)
    assert checks.number(case(RACE)).number == pytest.approx(float(infonce.loss(scores)), rel=1e-6)
    doubled = checks.shuffled(case(FAILING["shuffled"][0]))
    assert doubled.number is not None
    assert doubled.number > 1e-3
    half = checks.numerical(case(HEAD + GAP + "    return (gap * gap.detach()).mean()")).number
    assert half == pytest.approx(0.5, abs=0.01)  # d(g^2) = 2 g dg, and one of the two factors is held


def test_what_is_declared_passes() -> None:
    held = checks.numerical(case('DETACHED = "the weights"\n' + FAILING["numerical"][0]))
    assert held.passed
    assert held.number == pytest.approx(0.5, abs=0.01)
    assert checks.candidates(case("ONE_TOWER = True\n" + FAILING["candidates"][0])).passed


def test_changing_the_inputs_is_told() -> None:
    found = checks.repeated(case(HEAD + "    scores.pos.fill_(True)\n    return scores.s.sum()"))
    assert (found.passed, "changes its inputs" in found.mend) == (False, True)


def test_the_extremes_are_every_knob_at_each_end() -> None:
    text = 'def loss(scores, *, t=0.1, k=2, how="a"):\n    return scores.s.sum() / (t - 1.0)'
    assert [tuple(knobs.values()) for knobs in case(text).settings()] == [
        (0.1, 2, "a"),
        (0.01, 2, "a"),
        (1.0, 2, "a"),
        (0.1, 1, "a"),
        (0.1, 20, "a"),
        (0.1, 2, "a"),
    ]
    found = checks.extremes(case(text))
    assert (found.passed, found.number, found.unit) == (False, 6.0, "of 36 cases not finite")


def lines(report: Report) -> dict[str, tuple[bool, str]]:
    return {check.key: (check.passed, check.mend) for check in report.checks}


@pytest.mark.parametrize("text", [RACE, EXAMPLE])
def test_a_sound_loss_passes_in_its_own_process(text: str) -> None:
    report = examine(text, "mine")
    assert lines(report) == dict.fromkeys(CHECKS, (True, ""))
    assert report.passed
    assert report.key.startswith("own:mine-")
    told = json.loads(report.to_json())
    assert [line["name"] for line in told["checks"]] == list(CHECKS.values())
    assert told["passed"] is True


def test_what_cannot_be_read_never_gets_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.examine.subprocess.Popen", None)
    report = examine("def loss(scores:\n    return 0", "mine")
    assert not report.passed
    assert lines(report)["declared"][1].startswith("Line 1: ")


@pytest.mark.parametrize(
    ("body", "limit_s", "key", "words"),
    [
        ("    while True:\n        pass\n", 3.0, "number", "Stopped after 3 s. Look for a loop that does not end."),
        ("    return sum(range(10**13))\n", 3.0, "number", "Stopped after 3 s."),
        ("    return torch.ones(2**30).sum()\n", 60.0, "number", "it asked for more than 2048 MB of memory."),
        ("    return scores.t.sum()\n", 60.0, "number", "has no attribute 't'. It stood in line 2."),
        ("    torch._C._exit = 1\n    raise SystemExit(7)\n", 60.0, "number", "The process ended in this check"),
    ],
)
def test_a_loss_that_does_not_come_back_is_ended_and_named(body: str, limit_s: float, key: str, words: str) -> None:
    report = examine(HEAD + body, "mine", limit_s)
    assert not report.passed
    passed, mend = lines(report)[key]
    assert not passed
    assert words in mend


def test_what_it_prints_goes_nowhere() -> None:
    loud = RACE.replace("    push =", "    print('x' * 10**6)\n    push =")
    report = examine(loud, "mine")
    assert report.passed
    assert lines(report) == dict.fromkeys(CHECKS, (True, ""))


def test_the_batch_has_both_kinds_of_pairs() -> None:
    scores = checks.batch()
    assert scores.pos.any(1).all()
    assert scores.neg.any(1).all()
    y = torch.arange(8) % 2
    assert torch.equal(scores.pos, score(Embeddings(torch.eye(8), y)).pos)
