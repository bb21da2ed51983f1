"""The mutation check itself: which places are changed, what is left alone, and that a trial tells good from bad."""

import ast
from pathlib import Path

import pytest

from tests.mutations.__main__ import Report, main, parts, told
from tests.mutations.mutants import KINDS, Mutant, choose, every
from tests.mutations.same import why_same
from tests.mutations.trial import ROOT, Part, Verdict, attempt, copy_tree

INFONCE = ROOT / "models" / "losses" / "infonce.py"
SURE = Part("losses", "sure")
SOURCE = '''
"""Says 1 + 1."""
SPEC = LossSpec(key="sure", knobs=(Knob("margin", 0.5 + 0.1, 0.0, 1.0),), levels=(Level("chance", lambda c, k: -k),))

def loss(scores: Scores, *, margin: float = 1.0 / 2.0) -> Float[Tensor, " n - 1"]:
    """Takes 2 * s."""
    if margin < 0.0:
        raise ValueError(f"got {margin - 1}")
    return (scores.s[scores.pos & ~scores.neg] * margin).mean(dim=1) - 3
'''


def changes(source: str) -> set[tuple[str, str, str]]:
    return {(mutant.kind, mutant.before, mutant.after) for mutant in every(source)}


def test_every_place_that_computes_is_changed_and_no_other() -> None:
    body = "scores.s[scores.pos & ~scores.neg]"
    assert changes(SOURCE) == {
        ("sign", "-k", "k"),
        ("mask", "margin < 0.0", "margin >= 0.0"),
        ("constant", "0.0", "1.0"),
        ("mask", "scores.pos", "scores.neg"),
        ("mask", "scores.neg", "scores.pos"),
        ("mask", "~scores.neg", "scores.neg"),
        ("mask", "scores.pos & ~scores.neg", "scores.pos | ~scores.neg"),
        ("scale", f"{body} * margin", f"{body} / margin"),
        ("reduction", f"({body} * margin).mean", f"({body} * margin).sum"),
        ("reduction", "1", "0"),
        ("sign", f"({body} * margin).mean(dim=1) - 3", f"({body} * margin).mean(dim=1) + 3"),
        ("constant", "3", "4"),
    }


def test_one_place_at_a_time() -> None:
    lines = ast.unparse(ast.parse(SOURCE)).splitlines()
    for mutant in every(SOURCE):
        other = mutant.source.splitlines()
        assert len(other) == len(lines)
        assert sum(one != two for one, two in zip(lines, other, strict=True)) == 1
        assert mutant.kind in KINDS


@pytest.mark.parametrize(
    ("line", "kind", "after"),
    [
        ("x = s.amax(1)", "reduction", "x = s.amax(0)"),
        ("x = s.sum(dim=0)", "reduction", "x = s.sum(dim=1)"),
        ("x = s.logsumexp(-1)", "reduction", "x = s.logsumexp(0)"),
        ("x = s.max()", "reduction", "x = s.min()"),
        ("x = counts.positives", "mask", "x = counts.negatives"),
        ("x = not y", "mask", "x = y"),
        ("x = True", "constant", "x = False"),
        ("x: int = 4", "constant", "x: int = 5"),
        ("x = 0.25", "constant", "x = 0.5"),
    ],
)
def test_changes(line: str, kind: str, after: str) -> None:
    assert (kind, after) in {(mutant.kind, mutant.source.strip()) for mutant in every(line)}


def test_chosen_by_the_seed_and_in_turn_from_each_kind() -> None:
    source = INFONCE.read_text(encoding="utf-8")
    assert choose(source, 5, "a") == choose(source, 5, "a")
    assert choose(source, 5, "a") != choose(source, 5, "b")
    assert {mutant.kind for mutant in choose(source, 5, "a")} == set(KINDS)
    assert len(choose(source, 10**6, 0)) == len(list(every(source)))
    assert choose("x = y", 5, 0) == []


def test_each_part_has_tests() -> None:
    found = parts()
    assert {"infonce", "pml", "queue"} <= set(found)
    assert all((ROOT / name).is_file() for part in found.values() for name in (part.file, *part.tests))


def made_up_tree(folder: Path) -> None:
    """A tree with one loss, s * margin, and one test of its value at margin 3."""
    for name in ("models/losses", "tests/losses"):
        (folder / name).mkdir(parents=True)
    (folder / SURE.file).write_text("class SPEC:\n    key = 'sure'\n", encoding="utf-8")
    test = "from models.losses.sure import loss\n\ndef test_value():\n    assert loss(2.0, 3.0) == 6.0\n"
    (folder / SURE.tests[0]).write_text(test, encoding="utf-8")
    contract = "import pytest\n\n@pytest.mark.parametrize('key', ['sure', 'other'])\ndef test_it(key):\n"
    (folder / SURE.tests[1]).write_text(f"{contract}    assert key == 'sure'\n", encoding="utf-8")


@pytest.mark.parametrize(
    ("body", "by"),
    [
        ("return s * margin", ""),
        ("return s / margin", "tests/losses/test_sure.py::test_value"),
        ("return 0.0 +", "loading tests/losses/test_sure.py"),
    ],
)
def test_a_trial_tells_a_change_that_is_seen(tmp_path: Path, body: str, by: str) -> None:
    """Of the contract only the own key counts: that of another loss fails here and is not run."""
    made_up_tree(tmp_path)
    before = (tmp_path / SURE.file).read_text(encoding="utf-8")
    source = f"class SPEC:\n    key = 'sure'\n\ndef loss(s, margin):\n    {body}\n"
    assert attempt(tmp_path, SURE, source) == Verdict(by)
    assert (tmp_path / SURE.file).read_text(encoding="utf-8") == before


def test_the_copy_has_all_parts_and_nothing_compiled(tmp_path: Path) -> None:
    copy_tree(tmp_path)
    assert all((tmp_path / part.file).is_file() for part in parts().values())
    assert list(tmp_path.rglob("*.pyc")) == []


def test_unknown_key(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["nope"]) == 2
    assert "no loss or method called 'nope'; known: adameow" in capsys.readouterr().err


def test_a_mutant_in_words() -> None:
    assert str(Mutant(7, "sign", "-x", "x", "")) == "line 7, sign: -x  ->  x"


def test_a_report_counts_the_caught_and_tells_survivors_and_the_same() -> None:
    one, other, third = (Mutant(line, "sign", "-x", "x", "") for line in (1, 2, 3))
    reports = [
        Report("a.py", ((one, Verdict("test_a")), (other, Verdict(""))), ()),
        Report("b.py", (), ((third, "0"),)),
    ]
    assert [report.line() for report in reports] == ["| a.py | 2 | 1 | 1 | 0 |", "| b.py | 0 | 0 | 0 | 1 |"]
    text = told(reports, all_of_them=False).splitlines()
    assert text[0] == "| in all | 2 | 1 | 1 | 1 |"
    assert text[2:] == [
        "1 of 2 caught, 50.0 %",
        "survived  a.py line 2, sign: -x  ->  x",
        "the same  b.py line 3, sign: -x  ->  x: 0",
    ]
    assert told(reports, all_of_them=True).endswith("caught    a.py line 1, sign: -x  ->  x  by test_a")
    assert "0 of 0 caught, nan %" in told([], all_of_them=False)


def test_what_computes_the_same_is_known_by_its_reason() -> None:
    assert "drops out" in why_same(
        "taylor_softmax", "    numerator = 0.5 * x", Mutant(43, "constant", "0.5", "1.0", "")
    )
    assert why_same("infonce", "    numerator = 0.5 * x", Mutant(43, "constant", "0.5", "1.0", "")) == ""
    assert "speed" in why_same("n_pair", "", Mutant(49, "constant", "80.0", "160.0", ""))
