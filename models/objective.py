"""One object a run can step: the loss with its knobs, and whatever head or proxies it needs."""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from models.catalogue import find
from models.geometry import Embeddings, Scores, score
from models.sensitivity import pair_weights
from models.spec import Context, Counts, LossSpec, Value
from models.training.config import Part


class Objective(nn.Module):
    """Loss of a batch of embeddings. Knobs may change between steps; parameters of the loss are trained along.

    Raises ValueError if the loss needs other targets than one class for each item.
    """

    def __init__(self, part: Part, context: Context) -> None:
        super().__init__()
        self.module: Any = find("losses", part.key)
        self.spec: LossSpec = self.module.SPEC
        reason = refusal(self.spec, context.classes)
        if reason:
            raise ValueError(reason)
        self.knobs: dict[str, Value] = part.values
        self.context = context
        self.own: nn.Module | None = None
        self.head: nn.Linear | None = None
        if hasattr(self.module, "Loss"):
            self.own = self.module.Loss(context, **self.knobs)
        if self.spec.reads == "logits":
            self.head = nn.Linear(context.dim, context.classes)

    def set(self, name: str, value: Value) -> None:
        """Change one knob from now on."""
        self.knobs[name] = value
        if self.own is not None:
            setattr(self.own, name, value)

    def forward(self, embeddings: Embeddings, candidates: Embeddings | None = None) -> Tensor:
        """The reduced loss of one batch, a scalar that is joined to the graph; candidates: the other tower's rows."""
        alone = candidates is None and self.spec.reads == "scores" and self.own is None
        if alone and hasattr(self.module, "fused"):
            return self.module.fused(embeddings, **self.knobs)  # type: ignore[no-any-return]
        return self.read(self.view(embeddings, candidates), embeddings)

    def view(self, embeddings: Embeddings, candidates: Embeddings | None = None) -> Scores | None:
        """The scores this loss reads: items against items or second views, items against proxies, or logits."""
        if self.spec.reads == "scores":
            return score(embeddings, candidates)
        if self.head is not None:
            logits = self.head(embeddings.z)
            own = nn.functional.one_hot(embeddings.y, logits.shape[1]).bool()
            return Scores(logits, own, ~own)
        if self.own is not None and hasattr(self.own, "score"):
            return self.own.score(embeddings)  # type: ignore[operator,no-any-return]
        return None

    def read(self, scores: Scores | None, embeddings: Embeddings) -> Tensor:
        """The loss as a function of what `view` returned."""
        if scores is None:
            call = self.own if self.own is not None else self._call
            return call(embeddings)
        if self.spec.reads == "logits":
            # Of two classes, the logit of a binary loss is that of the second against the first.
            logits = scores.s[:, 1] - scores.s[:, 0] if self.spec.target == "binary" else scores.s
            besides = {name: getattr(embeddings, name) for name in (self.spec.also,) if name}
            return self._call(logits, embeddings.y, **besides)
        if self.spec.reads == "embeddings":
            return self.own.from_scores(scores)  # type: ignore[union-attr,operator,no-any-return]
        return self._call(scores)

    def read_scores(self, scores: Scores) -> Tensor:
        """The loss of given scores, for losses that read scores."""
        return self._call(scores)

    def _call(self, *what: Any, **besides: Any) -> Tensor:
        if self.own is not None:
            return self.own(*what, **besides)  # type: ignore[no-any-return]
        return self.module.loss(*what, **besides, **self.knobs)  # type: ignore[no-any-return]

    def weights(self, scores: Scores, embeddings: Embeddings) -> Tensor:
        """Signed dL/ds at the scores that `view` returned."""
        return pair_weights(lambda given: self.read(given, embeddings), replace(scores, s=scores.s.detach()))

    def levels(self, counts: Counts) -> dict[str, float]:
        """Reference levels at these counts and the present knobs, those that are defined."""
        if self.head is not None or (self.own is not None and hasattr(self.own, "score")):
            # Items race against all classes of the training set, however few of them a batch holds.
            counts = replace(counts, classes=self.context.classes)
        values = {level.name: level.value(counts, self.knobs) for level in self.spec.levels}
        return {name: float(value) for name, value in values.items() if value is not None}


def refusal(spec: LossSpec, classes: int) -> str:
    """Say why a loss cannot be trained on items that are each of one of so many classes; empty if it can."""
    if (spec.target == "class" and classes >= spec.fewest_classes) or (spec.target == "binary" and classes == 2):
        return ""
    needs = {
        "class": f"data of at least {spec.fewest_classes} classes",
        "binary": "data of two classes, such as faces",
        "multilabel": "data whose items carry several labels each",
        "real": "data with a number to predict for each item",
        "preference": "pairs of answers with their log-probabilities under a policy and a reference",
    }[spec.target]
    return f"{spec.name} needs {needs}; here each item is of one of {classes} classes."


def no_weight_reason(objective: Objective, refused: bool = False) -> str:
    """Say why a loss has no weight per pair of items; empty if it has. refused: the probe was too large for it."""
    if objective.spec.reads == "scores":
        lists = f"{objective.spec.name} lists pairs of pairs or triplets, more than fit in memory for the whole probe."
        return lists if refused else ""
    if objective.spec.reads == "logits":
        return f"{objective.spec.name} reads class logits, not pairs: its weights are those of item against class."
    if objective.own is not None and hasattr(objective.own, "score"):
        against = getattr(objective.own, "candidates", "class proxies")
        return f"{objective.spec.name} compares items with {against}: its weights are those of item against them."
    return f"{objective.spec.name} reads embeddings, not scores: there is no weight per pair."


def seeded(seed: int, stream: int) -> torch.Generator:
    """A generator of its own for one purpose of one run."""
    return torch.Generator().manual_seed((seed * 1_000_003 + stream) % (1 << 63))
