"""List the losses: key, name, family, what each reads, its knobs with their ranges."""

import argparse
import json
import sys
from typing import Any

from app.cli import DONE
from models.spec import Knob, LossSpec


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this command."""
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="a list of objects instead of lines")
    form.add_argument("--markdown", action="store_true", help="the table that stands in README.md")


def run(args: argparse.Namespace) -> int:
    """Write the catalogue on standard output."""
    specs = [module.SPEC for module in _catalogue().values()]
    if args.json:
        text = json.dumps([about(spec) for spec in specs], indent=1)
    else:
        text = markdown(specs) if args.markdown else _plain(specs)
    sys.stdout.write(text + "\n")
    return DONE


def _catalogue() -> Any:
    # The losses import torch, which takes seconds: --help and a wrong option answer without it.
    from models.catalogue import discover

    return discover("losses")


def about(spec: LossSpec) -> dict[str, Any]:
    """One loss as plain values."""
    knobs = [
        {
            "name": knob.name,
            "default": knob.default,
            "low": knob.low,
            "high": knob.high,
            "choices": list(knob.choices),
            "help": knob.help,
        }
        for knob in spec.knobs
    ]
    return {"key": spec.key, "name": spec.name, "family": spec.family, "reads": spec.reads, "knobs": knobs}


def markdown(specs: list[LossSpec]) -> str:
    """A row for each loss with a file of its own, the adapters to a library counted in a last sentence."""
    own = [spec for spec in specs if ":" not in spec.key]
    rows = [f"| `{s.key}` | {s.name} | {s.family} | {s.reads} | {_paper(s)} |" for s in own]
    table = "\n".join(["| key | loss | family | reads | paper |", "| --- | --- | --- | --- | --- |", *rows])
    adapted = len(specs) - len(own)
    if not adapted:
        return table
    return f"{table}\n\nBeside these, {adapted} losses of pytorch-metric-learning can be chosen as `pml:<Name>`."


def _paper(spec: LossSpec) -> str:
    paper = spec.paper
    title = f"[{paper.title}](https://arxiv.org/abs/{paper.arxiv})" if paper.arxiv else paper.title
    return f"{paper.authors}, {title}, {paper.year}"


def _plain(specs: list[LossSpec]) -> str:
    width = max(len(spec.key) for spec in specs)
    lines = []
    for spec in specs:
        lines.append(f"{spec.key:{width}}  {spec.name} ({spec.family}, reads {spec.reads})")
        lines += [f"{'':{width}}    {_knob(knob)}" for knob in spec.knobs]
    return "\n".join(lines)


def _knob(knob: Knob) -> str:
    return f"{knob.name} = {knob.default}: {knob.allowed()}"
