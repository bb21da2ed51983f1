"""The examination of an own loss, seen from outside: a limited process of its own, and a report with a line a check."""

import json
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import IO, Any

from models import limited
from models.own_source import declare

START_S = 120.0  # to import torch on a busy machine
LIMIT_S = 30.0  # by the clock, from when the loss is first called
PROCESSOR_S = 25  # of processor time, from there on
MEMORY_MB = 2048  # more than the process has without the loss
_MOST_LINE = 20_000  # characters of one line of the child's answer
CHECKS = {
    "declared": "one function of scores and knobs",
    "number": "returns one number",
    "gradient": "has a gradient",
    "extremes": "finite at extremes",
    "numerical": "gradient against numerical",
    "shuffled": "same answer after shuffling",
    "repeated": "same answer twice, inputs unchanged",
    "no_positives": "empty positives",
    "no_negatives": "empty negatives",
    "one_item": "a batch of one",
    "candidates": "anchors against other candidates",
    "cost": "cost against infonce",
}


@dataclass(frozen=True)
class Check:
    """One line of the report."""

    key: str  # of CHECKS
    passed: bool
    number: float | None  # None where there is none to tell, or none that is finite
    unit: str  # what the number is
    mend: str  # what to do; empty if nothing

    @property
    def name(self) -> str:
        """In words."""
        return CHECKS[self.key]


@dataclass(frozen=True)
class Report:
    """What an examination found. Only a loss that passed every check joins the built-in ones."""

    name: str
    key: str  # empty if the text could not be read
    text: str
    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """True if it may join."""
        return bool(self.checks) and all(check.passed for check in self.checks)

    def to_json(self) -> str:
        """Everything but the code."""
        told = {"name": self.name, "key": self.key, "passed": self.passed}
        checks = [{**asdict(check), "name": check.name} for check in self.checks]
        return json.dumps({**told, "checks": checks}, allow_nan=False)


def examine(text: str, name: str, limit_s: float = LIMIT_S) -> Report:
    """Examine a loss in a process of its own, which the kernel and a clock here keep within limits; never raises."""
    try:
        text, spec = declare(text, name)
    except ValueError as error:
        return Report(name, "", text, (Check("declared", False, None, "", str(error)),))
    found = [Check("declared", True, float(len(spec.knobs)), "knobs", "")]
    with tempfile.TemporaryDirectory(prefix="losslab-own-") as folder:
        child = limited.start("models.examination", folder)
        try:
            found += list(_answers(child, {"name": name, "text": text}, limit_s))
        finally:
            limited.end(child)
    missing = [key for key in CHECKS if key not in {check.key for check in found}]
    if missing and all(check.passed for check in found):
        found.append(Check(missing[0], False, None, "", _ended(child.returncode, limit_s)))
    return Report(name, spec.key, text, tuple(found))


def _answers(child: subprocess.Popen[bytes], order: dict[str, Any], limit_s: float) -> Iterator[Check]:
    """The checks as the child tells them, one JSON line each; the clock starts when it has imported torch."""
    assert child.stdin is not None
    assert child.stdout is not None
    late = threading.Timer(START_S, limited.kill, (child,))
    late.start()
    try:
        child.stdout.readline(_MOST_LINE)  # "ready"
        late.cancel()
        late = threading.Timer(limit_s, limited.kill, (child,))
        late.start()
        _send(child.stdin, order)
        while len(line := child.stdout.readline(_MOST_LINE)) > 1:
            told = json.loads(line)
            yield Check(str(told["key"]), told["passed"] is True, told["number"], str(told["unit"]), str(told["mend"]))
    except (ValueError, KeyError, TypeError):  # the loss wrote into our pipe: what it says no longer counts
        yield Check("declared", False, None, "", "the examination was disturbed: a loss must not write to files.")
    finally:
        late.cancel()


def _send(pipe: IO[bytes], order: dict[str, Any]) -> None:
    try:
        pipe.write(json.dumps(order).encode() + b"\n")
        pipe.close()
    except BrokenPipeError:  # it has ended already; its exit code says why
        return


def _ended(code: int | None, limit_s: float) -> str:
    """Why there is no answer to a check."""
    if code == -signal.SIGXCPU:
        return f"Stopped: it used more than {PROCESSOR_S} s of processor time. Look for a loop that does not end."
    if code == -signal.SIGKILL:
        return f"Stopped after {limit_s:g} s. Look for a loop that does not end."
    return f"The process ended in this check (exit code {code}), perhaps for want of memory ({MEMORY_MB} MB)."
