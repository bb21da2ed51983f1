"""List the losses: key, name, family, what each reads, its knobs with their ranges; or check one against a library."""

import argparse
import json
import sys
from dataclasses import asdict
from itertools import groupby
from math import isfinite
from typing import TYPE_CHECKING, Any

from app.cli import DONE, Refused
from models.spec import Knob, LossSpec

if TYPE_CHECKING:
    from models.crosscheck import CrossCheck


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this command."""
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="a list of objects instead of lines")
    form.add_argument("--markdown", action="store_true", help="the table that stands in README.md")
    parser.add_argument("--check", metavar="KEY", help="value and gradient of one loss beside those of a library")


def run(args: argparse.Namespace) -> int:
    """Write the catalogue, or one comparison, on standard output."""
    if args.check is not None:
        return _check(args)
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


def _check(args: argparse.Namespace) -> int:
    """The comparison on a fixed batch; raises Refused on a loss that is not known or cannot be read there."""
    if args.markdown:
        raise Refused("--check and --markdown exclude each other (see python -m app losses --help)")
    # As above; and this one loads the library as well.
    from models.crosscheck import cross_check, sample_batch

    try:
        found = cross_check(args.check, sample_batch())
    except ValueError as error:
        raise Refused(str(error)) from None
    if args.json:
        text = json.dumps(None if found is None else _plain_values(found), indent=1, allow_nan=False)
    else:
        text = f"{args.check}: no counterpart in a library" if found is None else _compared(found)
    sys.stdout.write(text + "\n")
    return DONE


def _plain_values(found: "CrossCheck") -> dict[str, Any]:
    """Fields by name; a number that is not defined is null."""
    undefined = {name for name, value in asdict(found).items() if isinstance(value, float) and not isfinite(value)}
    return {name: None if name in undefined else value for name, value in asdict(found).items()}


def _compared(found: "CrossCheck") -> str:
    """The comparison in lines."""
    verdict = "agrees with ours" if found.agrees else "does NOT agree with ours"
    rows = {
        "library": found.library,
        "value": f"ours {found.ours:.9g}, the library's {found.theirs:.9g}",
        "gradient": f"cosine {found.gradient_cosine:.6f}, ours is {found.gradient_ratio:.6g} times as long",
        "convention": found.convention,
        "converted by": f"{found.factor:.9g} x {found.call} {found.offset:+.9g}",
        "converted": f"{found.converted:.9g}, gradient off by {found.gradient_error:.1e}: {verdict}",
    }
    return "\n".join([found.key, *(f"  {name:12}  {text}" for name, text in rows.items())])


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
    """A row for each family of losses with files of their own, the adapters to a library counted in a last sentence."""
    own = sorted((spec for spec in specs if ":" not in spec.key), key=lambda spec: spec.family)
    families = {family: list(members) for family, members in groupby(own, key=lambda spec: spec.family)}
    rows = [f"| {family} | {' · '.join(map(_entry, members))} |" for family, members in families.items()]
    table = "\n".join(["| family | losses |", "| --- | --- |", *rows])
    adapted = len(specs) - len(own)
    if not adapted:
        return table
    return f"{table}\n\nBeside these, {adapted} losses of pytorch-metric-learning can be chosen as `pml:<Name>`."


def _entry(spec: LossSpec) -> str:
    paper = spec.paper
    told = f"{paper.authors} {paper.year}"
    return f"`{spec.key}` ([{told}](https://arxiv.org/abs/{paper.arxiv}))" if paper.arxiv else f"`{spec.key}` ({told})"


def _plain(specs: list[LossSpec]) -> str:
    width = max(len(spec.key) for spec in specs)
    lines = []
    for spec in specs:
        lines.append(f"{spec.key:{width}}  {spec.name} ({spec.family}, reads {spec.reads})")
        lines += [f"{'':{width}}    {_knob(knob)}" for knob in spec.knobs]
    return "\n".join(lines)


def _knob(knob: Knob) -> str:
    return f"{knob.name} = {knob.default}: {knob.allowed()}"
