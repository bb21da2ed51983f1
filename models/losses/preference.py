"""Preference losses on log-probabilities of a better and a worse answer: DPO, IPO, SLiC, and best of two."""

import math

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import softplus

from models.spec import Counts, Knob, Knobs, Level, LossSpec, Paper


def _agreed(counts: Counts, knobs: Knobs) -> float | None:
    """Value at log-ratio 0; best of two knows no reference."""
    return {"dpo": math.log(2.0), "ipo": 0.25, "slic": 1.0}.get(str(knobs["form"]))


def _still(counts: Counts, knobs: Knobs) -> float | None:
    return 0.0 if knobs["form"] == "slic" else None


SPEC = LossSpec(
    key="preference",
    name="Preference",
    family="ranking",
    reads="logits",
    target="preference",
    paper=Paper(
        "Tang et al.",
        2024,
        "Understanding the performance gap between online and offline alignment algorithms",
        arxiv="2405.08448",
        equation="contrastive template f(beta * log-ratio), and best of two",
        status="verified (code of a library and a digest of the paper; the paper itself was not read)",
    ),
    knobs=(
        Knob(
            "form",
            "dpo",
            choices=("dpo", "ipo", "slic", "best_of_2"),
            help="dpo: logistic; ipo: squared, towards a lead of 1/2; slic: hinge at 1; best_of_2: likelihood only.",
        ),
        Knob(
            "beta", 0.1, 0.001, 10.0, log=True, help="Strength of the reference: small lets the policy go far from it."
        ),
    ),
    levels=(
        Level("chance", _agreed, "policy and reference agree on how much better the one answer is"),
        Level("inactive", _still, "every better answer leads by one over beta: no pair has a gradient"),
    ),
    formula=r"f(\beta\Delta_i),\quad \Delta_i=\log\frac{\pi(w_i)}{\pi_0(w_i)}-\log\frac{\pi(l_i)}{\pi_0(l_i)},\quad "
    r"f(v)=\log(1+e^{-v}),\ (v-\tfrac12)^2,\ [1-v]_+",
    when="Pairs of answers, one of which was preferred, and a reference to stay near.",
    pitfall="Only the difference is trained: the better answer may become less probable too, and does, most of all "
    "on a fixed set of pairs. A pair of equal answers has no gradient and is better left out.",
    convention="Mean over pairs; answers' log-probabilities are sums over their tokens. IPO is beta squared times that "
    "of the TRL library, which also divides by the number of tokens. best_of_2 uses neither reference nor beta.",
    relations=(
        "(dpo) equals cross_entropy of beta times the log-ratios with the better answer as the class",
        "(ipo) equals beta squared times the squared gap of the log-ratio to one over two beta",
    ),
    pulls_positives=False,
    pushes_negatives=False,
)


def loss(
    logits: Float[Tensor, "n 2"], target: Float[Tensor, "n 2"], *, form: str = "dpo", beta: float = 0.1
) -> Float[Tensor, ""]:
    """Mean over pairs of f(beta * log-ratio), or of -log pi(better) for best_of_2.

    logits: log-probabilities of the better (column 0) and the worse answer under the policy; target: those under the
    reference, through which no gradient goes.
    """
    lead = beta * log_ratio(logits, target)
    if form == "dpo":
        return softplus(-lead, threshold=80.0).mean()
    if form == "ipo":
        return (lead - 0.5).square().mean()
    if form == "slic":
        return (1.0 - lead).clamp(min=0.0).mean()
    if form == "best_of_2":
        return -logits[:, 0].mean()
    raise ValueError(f"form must be dpo, ipo, slic or best_of_2, got {form!r}")


def log_ratio(logits: Float[Tensor, "n 2"], target: Float[Tensor, "n 2"]) -> Float[Tensor, " n"]:
    """How much more than the reference the policy prefers the better answer; above 0 it classifies the pair rightly."""
    gain = logits - target.detach()
    return gain[:, 0] - gain[:, 1]
