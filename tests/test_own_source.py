"""What the text of an own loss may hold, the knobs made from its defaults, and that reading it never runs it."""

import subprocess
import sys

import pytest

from models.catalogue import discover, find
from models.custom import OFF, REGISTER
from models.own_source import EXAMPLE, declare, digest_of
from models.training.config import Event, Part, RunConfig
from tests.conftest import ROOT
from tests.own import RACE, knowing

KNOBS = """
def loss(scores, *, temperature=0.1, k=3, margin=0.2, shift=0.0, low=-1.0, start=0, soft=True, kind="mean", way="a"):
    if kind == "sum" or "max" == kind:
        pass
    return scores.s.sum()
"""


def test_knobs_follow_from_the_defaults() -> None:
    _, spec = declare(KNOBS, "mine")
    told = {knob.name: (knob.default, knob.low, knob.high, knob.log, knob.choices) for knob in spec.knobs}
    assert told == {
        "temperature": (0.1, 0.01, 1.0, True, ()),
        "k": (3, 1, 30, False, ()),
        "margin": (0.2, 0.0, 2.0, False, ()),
        "shift": (0.0, -1.0, 1.0, False, ()),
        "low": (-1.0, -2.0, 2.0, False, ()),
        "start": (0, 0, 10, False, ()),
        "soft": (True, None, None, False, (True, False)),
        "kind": ("mean", None, None, False, ("mean", "sum", "max")),
        "way": ("a", None, None, False, ("a",)),
    }
    for knob in spec.knobs:
        assert knob.check(knob.default) == knob.default


def test_choices_of_an_annotation() -> None:
    _, spec = declare('def loss(scores, *, kind: Literal["a", "b"] = "b"):\n    return scores.s.sum()', "mine")
    assert spec.knobs[0].choices == ("b", "a")


def test_key_names_the_code() -> None:
    text, spec = declare(RACE.replace("\n", "\r\n") + "\n\n", "mine")
    assert spec.key == f"own:mine-{digest_of(RACE)}"
    assert digest_of(RACE) != digest_of(RACE.replace("80.0", "81.0"))
    assert text == RACE
    assert (spec.reads, spec.one_tower, spec.detached) == ("scores", False, "")
    _, said = declare('ONE_TOWER = True\nDETACHED = "the weights"\n' + RACE, "mine")
    assert (said.one_tower, said.detached) == (True, "the weights")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("def loss(scores:\n    return 0", "Line 1: "),
        ("x = 1\n\ndef lost(scores):\n    return 0", "one function called loss is needed"),
        ("import os\n" + RACE, "Line 1: import os is not possible"),
        ("from torchvision import io\n" + RACE, "import torchvision is not possible"),
        (RACE + "\nopen('x', 'w')", "Line 8: only imports, plain functions and constants"),
        ("x = open('x')\n" + RACE, "Line 1: only imports"),
        ("@torch.jit.script\n" + RACE.strip(), "only imports, plain functions"),
        ("def loss(scores, temperature=0.1):\n    return 0", "knobs come after the *"),
        ("def loss(embeddings):\n    return 0", "write def loss(scores"),
        ("def loss(scores, **knobs):\n    return 0", "name every knob"),
        ("def loss(scores, *, t):\n    return 0", "knob t needs a number"),
        ("def loss(scores, *, t=1e300):\n    return 0", "the default of t must be 0 or from"),
        ("def loss(scores, *, t=None):\n    return 0", "knob t needs a number"),
        ("def loss(scores, *, " + ", ".join(f"k{i}=1" for i in range(13)) + "):\n    return 0", "13 knobs; at most 12"),
        ("#" * 20_001, "20001 characters"),
        ("x\0", "cannot contain null bytes"),
        ("x = " + "(" * 300 + ")" * 300, "too many nested parentheses"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_line(text: str, words: str) -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011 - the words are compared below, letter by letter
        declare(text, "mine")
    assert words in str(refused.value)


@pytest.mark.parametrize("name", ["", "Mine", "1a", "a-b", "../a", "a" * 32])
def test_bad_names_are_told(name: str) -> None:
    with pytest.raises(ValueError, match="a loss's name is"):
        declare(RACE, name)


def test_off_is_told_in_one_sentence_wherever_one_is_named() -> None:
    key = f"own:mine-{digest_of(RACE)}"
    for attempt in (
        lambda: find("losses", key),
        lambda: REGISTER.add(RACE, "mine"),
        lambda: RunConfig(loss=Part(key), source=RACE),
        lambda: RunConfig.from_json(f'{{"loss": "{key}"}}'),
    ):
        with pytest.raises(ValueError, match="is off on this server") as refused:
            attempt()
        assert str(refused.value) == OFF


def test_a_config_carries_the_code_and_a_key_alone_does_not() -> None:
    with knowing(runs=False):
        key = REGISTER.add(RACE, "mine").SPEC.key
        config = RunConfig(loss=Part(key, (("temperature", 0.2),)), events=(Event(3, "loss.temperature", 0.5),))
        text = config.to_json()
    with knowing(runs=False):
        with pytest.raises(ValueError, match="no link carries code"):
            RunConfig(loss=Part(key))
        with pytest.raises(ValueError, match="no link carries code"):  # code that the key does not name
            RunConfig(loss=Part(key), source=RACE + "\nx = 1")
        again = RunConfig.from_json(text)
        assert again == config
        assert again.source == RACE
        assert again.config_id == config.config_id
        assert RunConfig.from_json(RunConfig(loss=Part(key)).to_json()).loss["temperature"] == 0.1
    assert "source" not in RunConfig().to_json()
    assert RunConfig(source=RACE).source == ""
    with pytest.raises(ValueError, match="source must be text"):
        RunConfig.from_json('{"source": 3}')


def test_reading_never_runs() -> None:
    with knowing(runs=False):
        own = REGISTER.add(RACE, "mine")
        assert "own:" not in "".join(discover("losses"))
        with pytest.raises(ValueError, match="in a limited worker process only"):
            _ = own.loss


def test_the_page_never_even_imports_what_runs_code() -> None:
    script = (
        "import sys; from models.custom import REGISTER; import app.live, app.views.lab, app.asgi; REGISTER.allow(); "
        f"REGISTER.add({RACE!r}, 'mine'); assert 'models.own_code' not in sys.modules; sys.stdout.write('never')"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "never"), done.stderr


def test_the_example_can_be_read() -> None:
    _, spec = declare(EXAMPLE, "example")
    assert [knob.name for knob in spec.knobs] == ["temperature", "margin", "reduction"]
    assert spec.knobs[2].choices == ("mean",) or spec.knobs[2].choices == ("mean", "sum")
