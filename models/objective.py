"""One object a run can step: the loss with its knobs, and whatever head or proxies it needs."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from models.catalogue import find
from models.geometry import Embeddings, Scores, score
from models.pair_mask import PairMask
from models.sensitivity import pair_weights
from models.spec import Context, Counts, LossSpec, Value
from models.training.config import Part

BINS = 51  # outputs of a head that predicts a number, as in the paper's Atari runs
_ENDS = ("v_min", "v_max")  # knobs of such a loss: where the bins end
_TAIL = 3.0  # sigma of the smeared target for which there is room beyond the data
_SURE = 1e4  # a logit beside which all others are nothing


class Objective(nn.Module):
    """Loss of a batch of embeddings. Knobs may change between steps; parameters of the loss are trained along.

    Where a number is predicted, an end of the bins left at its default is that of the training data: `knobs` says what
    is in force. Raises ValueError if the loss needs other targets than the data has.
    """

    def __init__(self, part: Part, context: Context) -> None:
        super().__init__()
        self.module: Any = find("losses", part.key)
        self.spec: LossSpec = self.module.SPEC
        reason = refusal(self.spec, context.classes, context.offers)
        if reason:
            raise ValueError(reason)
        self.context = context
        self._given: dict[str, Value] = part.values
        self._ends = _ends(context, part.values)
        self.knobs: dict[str, Value] = self._in_force()
        self.mask: PairMask | None = None  # pairs of training items that are left out
        self.own: nn.Module | None = None
        self.head: nn.Linear | None = None
        if hasattr(self.module, "Loss"):
            self.own = self.module.Loss(context, **self.knobs)
        if self.spec.reads == "logits":
            outputs = {"real": BINS, "multilabel": context.labels, "preference": context.answers}
            self.head = nn.Linear(context.dim, outputs.get(self.spec.target, context.classes))
        if self.head is not None and self.spec.target == "preference":
            # The policy is the reference times what the head adds: at the start they are one and the same.
            nn.init.zeros_(self.head.weight)
            nn.init.zeros_(self.head.bias)

    def set(self, name: str, value: Value) -> None:
        """Change one knob from now on."""
        self._given[name] = value
        self.knobs = self._in_force()
        if self.own is not None:
            setattr(self.own, name, value)

    def forward(self, embeddings: Embeddings, candidates: Embeddings | None = None) -> Tensor:
        """The reduced loss of one batch, a scalar that is joined to the graph; candidates: the other tower's rows."""
        alone = candidates is None and self.spec.reads == "scores" and self.own is None and self.mask is None
        if alone and hasattr(self.module, "fused"):
            return self.module.fused(embeddings, **self.knobs)  # type: ignore[no-any-return]
        return self.read(self.view(embeddings, candidates), embeddings)

    def view(self, embeddings: Embeddings, candidates: Embeddings | None = None) -> Scores | None:
        """The scores this loss reads: items against items or second views, items against proxies, or logits."""
        if self.spec.reads == "scores":
            scores = score(embeddings, candidates)
            return scores if self.mask is None else self.mask.without(scores, embeddings, candidates)
        if self.head is not None:
            logits = self.head(embeddings.z)
            if self.spec.target == "preference":
                return self._answered(logits, embeddings)
            own = self._own_outputs(embeddings)
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
            logits = self._lead(scores.s)
            besides = {name: getattr(embeddings, name) for name in (self.spec.also,) if name}
            return self._call(logits, self._target(embeddings), **besides)
        if self.spec.reads == "embeddings":
            return self.own.from_scores(scores)  # type: ignore[union-attr,operator,no-any-return]
        return self._call(scores)

    @torch.no_grad()
    def predict(self, z: Tensor) -> Tensor | None:
        """What the head says of embeddings (n, d): numbers (n,), classes (n,), or labels (n, c) of 0 and 1.

        None for a loss without a head, and for a policy, which is asked with its reference.
        """
        if self.head is None or self.spec.target == "preference":
            return None
        logits: Tensor = self.head(z)
        if self.spec.target == "real":
            return self._decode(logits)
        return (logits > 0).long() if self.spec.target == "multilabel" else logits.argmax(dim=1)

    def _in_force(self) -> dict[str, Value]:
        """The knobs, with the data's ends of the bins for those left at their defaults, unless that crosses them."""
        if self._ends is None:
            return dict(self._given)
        defaults = {knob.name: knob.default for knob in self.spec.knobs}
        ends = {
            name: end if self._given[name] == defaults[name] else self._given[name]
            for name, end in zip(_ENDS, self._ends, strict=True)
        }
        return {**self._given, **(ends if float(ends["v_min"]) < float(ends["v_max"]) else {})}

    def _lead(self, logits: Tensor) -> Tensor:
        """Of two classes, the logit of a binary loss is that of the second against the first."""
        return logits[:, 1] - logits[:, 0] if self.spec.target == "binary" else logits

    def _target(self, embeddings: Embeddings) -> Tensor:
        if self.spec.target not in ("real", "multilabel", "preference"):
            return embeddings.y
        if embeddings.target is None:
            raise ValueError(f"{self.spec.name} reads Embeddings.target, which these embeddings do not have")
        if self.spec.target == "preference":
            answers, reference = _answers(embeddings.target)
            return reference.gather(1, answers)
        return embeddings.target

    def _answered(self, logits: Tensor, embeddings: Embeddings) -> Scores:
        """Log-probabilities of the better and the worse answer under the policy, (n, 2), the better one positive."""
        assert embeddings.target is not None, f"{self.spec.name} reads Embeddings.target"
        answers, reference = _answers(embeddings.target)
        own = torch.tensor([True, False], device=logits.device).expand(len(logits), 2)
        return Scores((reference + logits).log_softmax(dim=1).gather(1, answers), own, ~own)

    def _own_outputs(self, embeddings: Embeddings) -> Tensor:
        """Outputs of the head that belong to each item, (n, outputs) bool: its class, its labels, its nearest bin."""
        assert self.head is not None
        outputs, target = self.head.out_features, self._target(embeddings)
        if self.spec.target == "multilabel":
            return target > 0.5
        if self.spec.target == "real":
            place = self._decode(_SURE * torch.eye(outputs, device=target.device))
            target = (target[:, None] - place[None, :]).abs().argmin(dim=1)
        return nn.functional.one_hot(target, outputs).bool()

    def _decode(self, logits: Tensor) -> Tensor:
        return self.module.decode(logits, **{name: self.knobs[name] for name in _ENDS})  # type: ignore[no-any-return]

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
            # Items race against all outputs, or classes of the training set, however few of them a batch holds.
            outputs = self.context.classes if self.head is None else self.head.out_features
            counts = replace(counts, classes=outputs)
        values = {level.name: level.value(counts, self.knobs) for level in self.spec.levels}
        return {name: float(value) for name, value in values.items() if value is not None}


def _answers(target: Tensor) -> tuple[Tensor, Tensor]:
    """Numbers of the better and the worse answer, (n, 2), and log-probabilities of all under the reference, (n, c)."""
    return target[:, :2].long(), target[:, 2:]


def _ends(context: Context, knobs: Mapping[str, Value]) -> tuple[float, float] | None:
    """Where bins end that span the data's numbers; with a smeared target, three sigma beyond them on both sides.

    A sigma is `ratio` bins, and BINS of them are the whole, the room beyond included.
    """
    if context.span is None or not set(_ENDS) <= knobs.keys():
        return None
    low, high = context.span
    room = _TAIL * float(knobs.get("ratio", 0.0)) / BINS  # share of the whole, on either side
    beyond = (high - low or 1.0) * room / (1.0 - 2.0 * room)
    return low - beyond, max(high, low + 1e-6) + beyond


def refusal(spec: LossSpec, classes: int, offers: str = "class") -> str:
    """Say why a loss cannot be trained on items that are each of one of so many classes; empty if it can.

    offers: what items have beside their class, see `Context.offers`.
    """
    if (spec.target == "class" and classes >= spec.fewest_classes) or (spec.target == "binary" and classes == 2):
        return ""
    if spec.target in ("real", "multilabel", "preference") and spec.target == offers:
        return ""
    needs = {
        "class": f"data of at least {spec.fewest_classes} classes",
        "binary": "data of two classes, such as faces or cancer",
        "multilabel": "data whose items carry several labels each, such as scenes",
        "real": "data with a number to predict for each item, such as rotation or diabetes",
        "preference": "pairs of answers with their log-probabilities under a policy and a reference, such as choices",
    }[spec.target]
    return f"{spec.name} needs {needs}; here each item is of one of {classes} classes."


def no_weight_reason(objective: Objective, refused: bool = False) -> str:
    """Say why a loss has no weight per pair of items; empty if it has. refused: the probe was too large for it."""
    if objective.spec.reads == "scores":
        lists = f"{objective.spec.name} lists pairs of pairs or triplets, more than fit in memory for the whole probe."
        return lists if refused else ""
    if objective.spec.reads == "logits":
        output = {"real": "bin", "multilabel": "label", "preference": "answer"}.get(objective.spec.target, "class")
        return (
            f"{objective.spec.name} reads {output} logits, not pairs: its weights are those of item against {output}."
        )
    if objective.own is not None and hasattr(objective.own, "score"):
        against = getattr(objective.own, "candidates", "class proxies")
        return f"{objective.spec.name} compares items with {against}: its weights are those of item against them."
    return f"{objective.spec.name} reads embeddings, not scores: there is no weight per pair."


def seeded(seed: int, stream: int) -> torch.Generator:
    """A generator of its own for one purpose of one run."""
    return torch.Generator().manual_seed((seed * 1_000_003 + stream) % (1 << 63))
