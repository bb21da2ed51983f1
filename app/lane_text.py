"""A lane of the address: `infonce;temperature=0.2;methods.queue;120@loss.temperature=0.05`, what is not default."""

from models.spec import Value
from models.training.config import Part, RunConfig, part_knobs

METHODS = "methods."  # with a key, a lane's method; with a key and a knob, that knob


def lane_text(lane: RunConfig) -> str:
    """`infonce;temperature=0.2;methods.queue;methods.queue.size=64;120@loss.temperature=0.05`: what is not default."""
    parts = [lane.loss.key, *_knob_texts("loss", lane.loss)]
    for method in lane.methods:
        parts += [f"{METHODS}{method.key}", *_knob_texts("methods", method, f"{METHODS}{method.key}.")]
    return ";".join([*parts, *(f"{e.step}@{e.knob}={value_text(e.value)}" for e in lane.events)])


def _knob_texts(field_name: str, part: Part, prefix: str = "") -> list[str]:
    """`temperature=0.2` for each knob that differs from its default."""
    knobs = [knob for knob in part_knobs(field_name, part.key) if part[knob.name] != knob.default]
    return [f"{prefix}{knob.name}={value_text(part[knob.name])}" for knob in knobs]


def value_text(value: Value) -> str:
    """A value of a knob as it stands in an address: a number with all its digits."""
    return repr(value) if isinstance(value, float) else str(value)
