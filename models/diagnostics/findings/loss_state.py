"""What the named loss does at this checkpoint: where its value stands, and which pairs own its gradient."""

import numpy as np

from models.diagnostics.findings.evidence import Evidence, LossEvidence
from models.diagnostics.findings.finding import Clear, Fired, Outcome, Rule, Selection, Unknown
from models.diagnostics.measured import Measured, over_batches, share_interval

AT_MARGIN, AT_CHANCE, WAY = 0.02, 0.03, 0.1
INACTIVE, HOT, COLD, CAPTURED, FIGHT = 0.02, 0.9, 0.8, 0.4, -0.2
SPREAD, NEAR, APART = 0.5, 2.0, 0.75
_TOP = 20  # pairs that a finding selects
_GUESS = " Batch size or knobs are defaults and not yours: with yours this may differ."


def told_of(loss: LossEvidence, sentence: str) -> str:
    """A sentence about a loss, with a warning where its knobs are guessed."""
    return sentence + (_GUESS if loss.guessed else "")


def sure(loss: LossEvidence, confidence: str) -> str:
    """A confidence, low where the loss's knobs are guessed."""
    return "low" if loss.guessed else confidence


def weighted(evidence: Evidence) -> LossEvidence | Unknown:
    """The loss with its pair weights, or why there are none."""
    if evidence.loss is None:
        return Unknown(evidence.why_no_loss)
    if evidence.loss.why_no_weight:
        return Unknown(evidence.loss.why_no_weight)
    return evidence.loss


def stuck_on_margin(evidence: Evidence) -> Outcome:
    """Value within 2 % of the level under collapse, of a loss with a margin, and spread falling (or below a half)."""
    loss = evidence.loss
    if loss is None:
        return Unknown(evidence.why_no_loss)
    level = loss.levels.get("collapse")
    if not any(name.split(".")[-1] == "margin" for name in loss.knobs) or level is None or not (level > 0).all():
        return Unknown(f"{loss.name} has no margin at which a collapsed embedding would sit")
    away = over_batches(np.abs(loss.value / level - 1.0))
    if not away.known:
        return Unknown(f"{loss.name} has no value")
    spread = float(np.sqrt(max(1.0 - evidence.cone.value**2, 0.0)))
    before = [float(np.sqrt(max(1.0 - other.cone.value**2, 0.0))) for other in evidence.earlier if other.u is not None]
    falling = spread < before[-1] if before else spread < SPREAD
    if away.value > AT_MARGIN or not falling:
        return Clear(away, AT_MARGIN)
    how = f"has fallen from {before[-1]:.2f} to" if before else "is only"
    told = f"{loss.name} sits {away.value:.1%} from its margin's level, and the spread {how} {spread:.2f} of 1."
    return Fired("serious", sure(loss, away.below(AT_MARGIN)), told_of(loss, told), away, AT_MARGIN)


def at_chance(evidence: Evidence) -> Outcome:
    """Value within 3 % of the chance level, and less than a tenth of the way from there to perfect.

    An AUC that is surely above 0.75 clears it: losses with a steep scale can stand near chance with pairs well apart.
    """
    loss = evidence.loss
    if loss is None:
        return Unknown(evidence.why_no_loss)
    chance = loss.levels.get("chance")
    if chance is None or not (np.abs(chance) > 1e-6).all() or not np.isfinite(loss.value).any():
        return Unknown(f"{loss.name} has no level of chance at these knobs")
    away = over_batches(np.abs(loss.value / chance - 1.0))
    perfect = loss.levels.get("perfect")
    way = 0.0
    if perfect is not None and (chance != perfect).all():
        way = float(np.mean((chance - loss.value) / (chance - perfect)))
    if away.value > AT_CHANCE or way >= WAY or evidence.auc.low > APART:
        return Clear(away, AT_CHANCE)
    told = (
        f"{loss.name} stands at {np.mean(loss.value):.4g}; chance for {loss.batch} items a batch is "
        f"{np.mean(chance):.4g}: positives score no higher than negatives."
    )
    return Fired("serious", sure(loss, away.below(AT_CHANCE)), told_of(loss, told), away, AT_CHANCE)


def nothing_active(evidence: Evidence) -> Outcome:
    """Fewer than 2 % of the pairs have a weight."""
    loss = weighted(evidence)
    if isinstance(loss, Unknown):
        return loss
    assert loss.active is not None
    found = over_batches(loss.active)
    if not found.value < INACTIVE:
        return Clear(found, INACTIVE)
    told = f"{loss.name} moves {found} of the pairs of a batch; all others have no gradient."
    return Fired("warning", sure(loss, found.below(INACTIVE)), told_of(loss, told), found, INACTIVE)


def temperature_low(evidence: Evidence) -> Outcome:
    """The hardest 1 % of negatives own more than 80 % of the push, in a loss that has a temperature."""
    loss = weighted(evidence)
    if isinstance(loss, Unknown):
        return loss
    if loss.temperature is None or loss.hardest_share is None:
        return Unknown(f"{loss.name} has no temperature")
    found = over_batches(loss.hardest_share)
    if not found.known:
        return Unknown(f"{loss.name} pushes no negative")
    if found.value <= COLD:
        return Clear(found, COLD)
    told = (
        f"The hardest 1 % of negatives own {found} of the push of {loss.name} at temperature {loss.temperature:g}; "
        f"false negatives among them would steer the training."
    )
    chosen = _heaviest(evidence, loss)
    return Fired("warning", sure(loss, found.above(COLD)), told_of(loss, told), found, COLD, chosen)


def temperature_high(evidence: Evidence) -> Outcome:
    """Over 90 % of the negatives are pushed alike (exp entropy), and negatives are not spread (mean distance)."""
    loss = weighted(evidence)
    if isinstance(loss, Unknown):
        return loss
    if loss.temperature is None or loss.effective is None:
        return Unknown(f"{loss.name} has no temperature")
    found = over_batches(loss.effective)
    if not found.known:
        return Unknown(f"{loss.name} pushes no negative")
    assert evidence.s is not None
    assert evidence.neg is not None
    apart = -float(np.log(np.exp(4.0 * (evidence.s[evidence.neg].astype(np.float64) - 1.0)).mean()))
    if found.value <= HOT or apart >= NEAR:
        return Clear(found, HOT)
    told = (
        f"At temperature {loss.temperature:g} the push of {loss.name} is spread over {found} of the negatives, near "
        f"and far alike, and negatives stay close (uniformity of negatives {apart:.2f}; 4 and more is spread out)."
    )
    return Fired("warning", sure(loss, found.above(HOT)), told_of(loss, told), found, HOT)


def gradient_captured(evidence: Evidence) -> Outcome:
    """One pair of classes owns more than 40 % of the push, and more than twice its share of the negatives."""
    loss = weighted(evidence)
    if isinstance(loss, Unknown):
        return loss
    if evidence.y is None or evidence.column is not None or len(np.unique(evidence.y)) < 4:
        return Unknown("which classes own the push needs labels of four classes at least")
    assert loss.anchor is not None
    assert loss.candidate is not None
    assert loss.positive is not None
    assert loss.weight is not None
    push = np.where(loss.positive, 0.0, np.maximum(loss.weight, 0.0)).astype(np.float64)
    if push.sum() == 0:
        return Unknown(f"{loss.name} pushes no negative")
    pair = np.sort(np.stack([evidence.y[loss.anchor], evidence.y[loss.candidate]]), axis=0)
    key = pair[0].astype(np.int64) * (int(evidence.y.max()) + 1) + pair[1]
    names, code = np.unique(key, return_inverse=True)
    owned = np.bincount(code, weights=push) / push.sum()
    fair = np.bincount(code, weights=~loss.positive) / np.count_nonzero(~loss.positive)
    top = int(owned.argmax())
    effective = int(push.sum() ** 2 / (push**2).sum())  # pairs of equal push that would vary as much
    found = share_interval(round(owned[top] * effective), effective)
    found = Measured(float(owned[top]), found.low, found.high)
    if found.value <= CAPTURED or found.value <= 2 * fair[top]:
        return Clear(found, CAPTURED)
    first, second = divmod(int(names[top]), int(evidence.y.max()) + 1)
    told = f"Classes {first} and {second} own {found} of the push, and are {fair[top]:.1%} of the negative pairs."
    chosen = _heaviest(evidence, loss, code == top)
    return Fired("warning", sure(loss, found.above(CAPTURED)), told_of(loss, told), found, CAPTURED, chosen)


def terms_fight(evidence: Evidence) -> Outcome:
    """Gradients of two terms of a mixture have a cosine below -0.2 at this checkpoint and at all earlier ones."""
    loss = evidence.loss
    if loss is None:
        return Unknown(evidence.why_no_loss)
    if loss.term_cosine is None:
        return Unknown(f"{loss.name} has one term")
    history = [
        other.loss.term_cosine for other in evidence.earlier if other.loss and other.loss.term_cosine is not None
    ]
    worst = max([loss.term_cosine, *history])
    if worst >= FIGHT:
        return Clear(Measured(loss.term_cosine), FIGHT)
    told = f"Two terms of {loss.name} pull against each other: cosine {loss.term_cosine:.2f} of their gradients."
    confidence = sure(loss, "medium" if history else "low")
    return Fired("warning", confidence, told_of(loss, told), Measured(loss.term_cosine), FIGHT)


def _heaviest(evidence: Evidence, loss: LossEvidence, among: np.ndarray | None = None) -> Selection:
    """The negatives with the most push."""
    assert loss.anchor is not None
    assert loss.candidate is not None
    assert loss.positive is not None
    assert loss.weight is not None
    push = np.where(loss.positive if among is None else loss.positive | ~among, 0.0, np.maximum(loss.weight, 0.0))
    top = np.argsort(-push, kind="stable")[:_TOP]
    top = top[push[top] > 0]
    pairs = evidence.selected_pairs(loss.anchor[top], loss.candidate[top])
    return Selection(np.unique(pairs), pairs) if evidence.column is None else Selection(pairs=pairs)


RULES = (
    Rule(
        "stuck_on_margin",
        "Stuck on the margin",
        "distance of the loss from its margin's level",
        "curves",
        "Lower the learning rate or mine softer negatives; more epochs will not help.",
        "A spread that rises again at the next checkpoints.",
        stuck_on_margin,
    ),
    Rule(
        "at_chance",
        "At chance",
        "distance of the loss from its chance level",
        "curves",
        "Check that positives are positives, then learning rate, warm-up, and the strength of views.",
        "The batch size and temperature of the training, if they differ from those given here.",
        at_chance,
    ),
    Rule(
        "nothing_active",
        "Nothing active",
        "share of pairs with a weight",
        "pair_weights",
        "Mine harder, or raise the margin; a loss of zero is not success.",
        "A recall that is as good as it can be.",
        nothing_active,
    ),
    Rule(
        "temperature_low",
        "Temperature too low",
        "share of the push on the hardest 1 % of negatives",
        "pair_weights",
        "Look at likely false negatives first, then raise the temperature.",
        "Hardest negatives that are truly different items, looked at one by one.",
        temperature_low,
    ),
    Rule(
        "temperature_high",
        "Temperature too high",
        "effective negatives, as a share of all",
        "pair_weights",
        "Lower the temperature.",
        "A run at half the temperature that is no better.",
        temperature_high,
    ),
    Rule(
        "gradient_captured",
        "Gradient captured by one pair of classes",
        "share of the push of one pair of classes",
        "pair_weights",
        "Balance the batches, or split or merge the two classes.",
        "Classes that are meant to be the hard ones, with all others already apart.",
        gradient_captured,
    ),
    Rule(
        "terms_fight",
        "Terms fight",
        "lowest cosine between two terms' gradients",
        "pair_weights",
        "Change the weights of the terms, or train them in turns.",
        "A run with one term alone that is worse on what that term is for.",
        terms_fight,
    ),
)
