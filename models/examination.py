"""The process that examines an own loss: one order on standard input, one JSON line a check on standard output."""

import json
import os
import sys
from collections.abc import Callable, Iterator
from math import isfinite

import torch

from models import limits
from models.custom import REGISTER
from models.examination_checks import CHECKS, Case, Found
from models.examine import MEMORY_MB, PROCESSOR_S


def examination(text: str, name: str) -> Iterator[dict[str, object]]:
    """Every check in its order as plain values; the first that fails ends it, since the later ones rest on it."""
    own = REGISTER.add(text, name)
    for key, check in CHECKS.items():
        found = _tried(check, Case(own))
        yield {
            "key": key,
            "passed": found.passed,
            "number": found.number if found.number is not None and isfinite(found.number) else None,
            "unit": found.unit,
            "mend": "" if found.passed else found.mend,
        }
        if not found.passed and key in ("number", "gradient"):
            return


def _tried(check: Callable[[Case], Found], case: Case) -> Found:
    try:
        return check(case)
    except Exception as error:  # foreign code may hold any mistake
        return Found(False, None, "", f"It raised an error: {limits.told(error, MEMORY_MB)}.{_line(error)}")


def _line(error: BaseException) -> str:
    """Where in the own code it happened."""
    trace, line = error.__traceback__, 0
    while trace is not None:
        if trace.tb_frame.f_code.co_filename.startswith("<own:"):
            line = trace.tb_lineno
        trace = trace.tb_next
    return f" It stood in line {line}." if line else ""


def main() -> None:
    """Answer one order. What the loss itself writes goes nowhere."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in (1, 2):
        os.dup2(nowhere, number)
    torch.set_num_threads(1)
    torch.ones(2, requires_grad=True).sum().backward()  # type: ignore[no-untyped-call]  # starts autograd's threads while there is room for them
    answers.write("ready\n")
    answers.flush()
    order = json.loads(sys.stdin.readline())
    limits.limit_files()
    limits.limit_memory(MEMORY_MB)
    limits.limit_processor(PROCESSOR_S)
    REGISTER.allow(runs=True)
    for told in examination(order["text"], order["name"]):
        answers.write(json.dumps(told) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
