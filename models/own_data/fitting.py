"""What else of a run must change for a user's own set, which may be small, unlabelled or of another kind."""

from typing import Any

from models.catalogue import find
from models.own_data.kept import OwnData
from models.own_data.own_set import About
from models.training.config import Part, RunConfig, pairings


def fitted(config: RunConfig, key: str) -> dict[str, Any]:
    """Fields of a config that go with the set: data, pairing, and sampler and encoder where those there cannot be."""
    own: OwnData = find("data", key)
    changes: dict[str, Any] = {"data": Part(key)}
    if config.pairing not in pairings(key) or config.pairing == "towers":
        changes["pairing"] = ""
    sampler = fitting_sampler(config.sampler, own.about)
    if sampler != config.sampler:
        changes["sampler"] = sampler
    if own.SPEC.kind not in find("encoders", config.encoder.key).SPEC.kinds:
        changes["encoder"] = Part("mlp", (("dim", config.encoder["dim"]),))
    return changes


def fitting_sampler(sampler: Part, about: About) -> Part:
    """The sampler with a batch that the training items fill, a power of two where it must be smaller.

    Uniform without labels: a balanced batch takes two items of each class, which would be one item twice.
    """
    if sampler.key == "episodic":
        sampler = Part("balanced")
    values = {"batch": 128} | sampler.values
    if int(values["batch"]) > about.train:
        values["batch"] = 1 << (about.train.bit_length() - 1)
    if not about.labelled:
        return Part("uniform", (("batch", values["batch"]),))
    return sampler if values["batch"] == sampler.values.get("batch") else Part(sampler.key, tuple(values.items()))
