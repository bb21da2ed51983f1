"""Diagnose a checkpoint: embeddings, scores, weights or a model; what is wrong, how sure that is, and what to do."""

import argparse
import json
import sys
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app import brought, output
from app.cli import DONE, FAILED, Refused
from models.reading import refused, sniff
from models.reading.company import check_comparison
from models.reading.doors import DOORS, Brought, Request, bring

if TYPE_CHECKING:
    from models.checkpoint import Diagnosis, Material

# Options that name a file beside FILE.
BESIDE = (
    "data",
    "labels",
    "pairs",
    "documents",
    "relevance",
    "config",
    "proxies",
)
SEVERITIES = ("info", "warning", "serious")  # rising
Files = dict[str, str]  # name -> text
Told = tuple[
    dict[str, Any], list[str], bool, Files
]  # the JSON, lines for the screen, whether --fail-on fires, for --out
_PACKED = (".zip", ".gz", ".tar", ".bz2", ".7z", ".tgz", ".xz", ".rar", ".zst")


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this command."""
    parser.add_argument(
        "file",
        metavar="FILE",
        help="npy npz csv tsv parquet arrow feather safetensors h5 pt onnx, or the folder of a run or of a"
        " sentence-transformers model",
    )
    parser.add_argument("--as", dest="door", choices=DOORS, help="what FILE holds (default: seen from the file)")
    parser.add_argument("--data", metavar="FILE", help="rows, texts or a zip of images in class folders to embed")
    parser.add_argument("--against", metavar="FILE", nargs="+", default=[], help="other checkpoints of the same rows")
    parser.add_argument("--labels", metavar="FILE", help="a label for each row, in the same order")
    parser.add_argument("--loss", metavar="KEY", help="the loss it was trained with (python -m app losses)")
    parser.add_argument(
        "--knob", metavar="NAME=VALUE", action="append", default=[], help="of that loss, as trained; also batch=ITEMS"
    )
    parser.add_argument("--pairs", metavar="FILE", help="pairs of rows, counted from 0, and whether each matches")
    parser.add_argument("--documents", metavar="FILE", help="FILE holds queries: the documents, if in another file")
    parser.add_argument("--relevance", metavar="FILE", help="judgements: query, document, grade; or TREC's qrels")
    parser.add_argument("--encoder", metavar="KEY", help="FILE holds weights of the app's encoder linear, mlp or conv")
    parser.add_argument(
        "--encoder-knob", metavar="NAME=VALUE", action="append", default=[], help="of it; else read from the weights"
    )
    parser.add_argument("--config", metavar="FILE", help="run.json or a config of the lab: names the encoder")
    parser.add_argument("--proxies", metavar="FILE", help="class weights of a head such as ArcFace's, a row a class")
    parser.add_argument(
        "--sample",
        metavar="N",
        type=int,
        help="look at N items; of a matrix above 64 MiB read no more (a million rows of 64: 71 to 223 MB)",
    )
    parser.add_argument("--neighbours", action="store_true", help="recall@1 among all items, however long it takes")
    parser.add_argument("--keep", metavar="N", type=int, help="edit the head: prune it to N dimensions, no training")
    parser.add_argument(
        "--forget", metavar="CLASS", type=int, default=0, help="with --keep: the class unlearnt, from 0"
    )
    parser.add_argument(
        "--out", metavar="DIR", help="a new or empty folder for diagnosis.json, report.html, notebook.ipynb"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    parser.add_argument("--fail-on", choices=SEVERITIES, help="exit with 1 if there is a finding so severe or worse")


def run(args: argparse.Namespace) -> int:
    """Read, diagnose, tell; exit code 1 if --fail-on fires. Libraries' remarks are not for this command's reader."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return _run(args)
        except refused.Refused as error:
            raise Refused(str(error)) from None


def _run(args: argparse.Namespace) -> int:
    _check(args)
    out = None if args.out is None else _folder(Path(args.out))
    knobs = _knobs(args)
    found = bring(_request(args, args.file))
    others = [_other(args, name, found) for name in args.against]
    if found.arrays is None and found.scores is None and found.judged is None:
        told, lines, fires, files = _read_only(found, others, args.fail_on)
    else:
        told, lines, fires, files = _diagnosed(args, knobs, found, others)
    text = json.dumps(told, allow_nan=False, sort_keys=True)
    if out is not None:
        output.write_json(out / "diagnosis.json", told)
        for name, content in files.items():
            output.write_text(out / name, content)
    sys.stdout.write((text if args.json else "\n".join(lines)) + "\n")
    return FAILED if fires else DONE


def _read_only(found: Brought, others: list[Brought], severity: str | None) -> Told:
    """Weights, or a model without data: what was read is all there is; bad values in a tensor are serious."""
    told = {**brought.plain(found), "against": [brought.plain(other) for other in others]}
    lines = [line for one in (found, *others) for line in brought.words(one)]
    return told, lines, severity is not None and any(note.code == "W231" for note in found.notes), {}


def _diagnosed(args: argparse.Namespace, knobs: dict[str, Any], found: Brought, others: list[Brought]) -> Told:
    """Embeddings or scores: the JSON is that of models.checkpoint.diagnosis, `model` is the report of a model."""
    # Numba and torch take seconds: what can be refused without them has been refused by now.
    from models.checkpoint import diagnose
    from models.reading.material import material_of

    material, *against = [material_of(one) for one in (found, *others)]
    assert material is not None
    tell = _progress()
    try:
        others_read = [other for other in against if other is not None]
        made = diagnose(material, args.loss, knobs, args.sample, others_read, tell)
    except ValueError as error:
        raise refused.Refused("E312", f"{error}.") from None
    finally:
        if tell is not None:
            sys.stderr.write("\r\x1b[K")
    made = _with_neighbours(args, material, made)
    told: dict[str, Any] = json.loads(made.to_json())
    more: list[str] = []
    if args.keep is not None:
        told["edits"] = _edited(args, material)
        more = brought.edits(told["edits"])
    if found.shapes is not None:
        told["model"] = brought.plain(found)["shapes"]
    fires = args.fail_on is not None and made.fires(args.fail_on)
    files = {} if args.out is None else _files(args, knobs, material, made)
    return told, [*brought.words(found), *brought.findings(told), *more], fires, files


def _progress() -> Callable[[str, Any], None] | None:
    """Tells on one line of a terminal how far it is; None where standard error is a file or a pipe."""
    if not sys.stderr.isatty():
        return None
    # NumPy and what it needs: a refusal does not wait for it.
    from models.checkpoint.progress import said

    def tell(what: str, step: Any) -> None:
        sys.stderr.write(f"\r\x1b[K{said(what, step)[0]}")
        sys.stderr.flush()

    return tell


def _edited(args: argparse.Namespace, material: "Material") -> dict[str, Any]:
    """The head with fewer dimensions and without a class; raises Refused without a head, or out of range."""
    # As slow to import as `diagnose` itself.
    from models.checkpoint.edits import edits

    try:
        return dict(edits(material, args.keep, args.forget).as_dict())
    except ValueError as error:
        raise refused.Refused("E312", f"--keep: {error}.") from None


def _with_neighbours(args: argparse.Namespace, material: "Material", made: "Diagnosis") -> "Diagnosis":
    """With recall@1 among all items, where that was asked for or takes seconds."""
    # As slow to import as `diagnose` itself.
    from models.checkpoint.near import among_all, quick
    from models.checkpoint.sample import SAMPLE

    if args.sample is not None or material.size <= SAMPLE or not (args.neighbours or quick(material)):
        return made
    return replace(made, metrics=(*made.metrics, *among_all(material)))


def _files(args: argparse.Namespace, knobs: dict[str, Any], material: "Material", made: "Diagnosis") -> Files:
    """The report and the notebook."""
    # Drawing takes a second to import, and most calls want no report.
    from app.repeat import Given, origin
    from app.report import report
    from app.report_notebook import report_notebook
    from models.checkpoint.result import result

    beside = {name: Path(getattr(args, name)) for name in BESIDE if getattr(args, name) is not None}
    others = tuple(map(Path, args.against))
    own = dict(_knob(item, "--encoder-knob") for item in args.encoder_knob)
    given = Given(
        Path(args.file),
        args.door or "",
        beside,
        others,
        args.loss,
        knobs,
        encoder=args.encoder or "",
        encoder_knobs=own,
        sample=args.sample,
    )
    shown, where = result(material, made), origin(given, Path(args.out))
    return {"report.html": report(shown, where), "notebook.ipynb": report_notebook(shown, where)}


def _check(args: argparse.Namespace) -> None:
    """What is wrong whatever the files hold."""
    name = Path(args.file).name
    kind = sniff.suffix_of(name)
    if kind in _PACKED:
        mend = "Unpack it and name the file inside; a zip of images goes to --data, beside a model."
        raise refused.Refused(
            "E103", f"{refused.shown(name)}: archives of type {kind} are not accepted as FILE. {mend}"
        )
    if args.sample is not None and args.sample < 2:
        raise refused.Refused("E305", f"--sample must be a whole number of at least 2, got {args.sample}.")
    check_comparison(args.documents, len(args.against))
    if args.knob and args.loss is None:
        raise refused.Refused("E403", "--knob needs the loss it belongs to. Give --loss KEY as well.")


def _folder(out: Path) -> Path:
    """A folder made if need be, and tried; raises Refused if it holds something or cannot be written."""
    if out.is_dir() and any(out.iterdir()):
        raise refused.Refused("E402", f"{refused.shown(out)} exists and is not empty. Name a new or an empty folder.")
    try:
        output.writable(out)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "its name cannot be used"
        raise refused.Refused(
            "E351", f"--out {refused.shown(out)} cannot be written: {reason}. Name another folder."
        ) from None
    return out


def _knobs(args: argparse.Namespace) -> dict[str, Any]:
    """The loss's knobs as given; raises Refused if there is no such loss, knob or value."""
    if args.loss is None:
        return {}
    # The losses import torch, which takes seconds: a command without --loss does not wait for it.
    from models.checkpoint.batches import named

    given = dict(_knob(item) for item in args.knob)
    try:
        named(args.loss, given)
    except ValueError as error:
        raise refused.Refused("E311", f"{error} (see python -m app losses)") from None
    return given


def _knob(item: str, option: str = "--knob") -> tuple[str, Any]:
    name, equals, text = item.partition("=")
    if not equals or not name:
        raise refused.Refused("E311", f"{option} needs NAME=VALUE, got '{refused.shown(item, 40)}'.")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = text
    return name, value


def _request(args: argparse.Namespace, file: str) -> Request:
    given = ((name, getattr(args, name)) for name in BESIDE)
    beside: dict[str, Any] = {name: Path(value) for name, value in given if value is not None}
    own = dict(_knob(item, "--encoder-knob") for item in args.encoder_knob)
    return Request(Path(file), args.door or "", **beside, encoder=args.encoder or "", knobs=own, sample=args.sample)


def _other(args: argparse.Namespace, file: str, first: Brought) -> Brought:
    """Another checkpoint: of the same kind, and of the same rows."""
    found = bring(_request(args, file))
    if found.door != first.door:
        text = f"{refused.shown(Path(file).name)} is read as {found.door}, {refused.shown(first.name)} as {first.door}"
        raise refused.Refused("E403", f"{text}: only two of one kind can be compared. Say --as for both.")
    if first.arrays is not None and found.arrays is not None and len(found.arrays.z) != len(first.arrays.z):
        counts = f"{len(first.arrays.z):,} rows, {refused.shown(found.name)} {len(found.arrays.z):,}"
        both = f"{refused.shown(first.name)} has {counts}"
        raise refused.Refused("E151", f"{both}. They must be the same items in the same order.")
    return found
