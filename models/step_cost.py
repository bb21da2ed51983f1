"""What one step of a loss costs on this machine: forward and backward from embeddings, heads and proxies included."""

import time

import torch

from models.catalogue import find
from models.geometry import Embeddings
from models.objective import Objective, refusal
from models.spec import Context, TooLarge
from models.training.config import Part

ITEMS, CLASSES, DIM = 256, 8, 32  # a batch as the lab trains it
TURNS, BUDGET_S = 9, 0.25  # at most so many turns, and none begun after the budget
REFERENCE = "infonce"


def step_ms(key: str) -> tuple[float, str]:
    """Milliseconds of one step and an empty text; nan and the reason for a loss that cannot be stepped so.

    The fastest turn counts: whatever else the machine does only ever adds time.
    """
    spec = find("losses", key).SPEC
    classes = 2 if spec.target == "binary" else CLASSES
    reason = refusal(spec, classes)
    if reason:
        return float("nan"), "It needs targets other than one class for each item."
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        objective = Objective(Part(key), Context(DIM, classes, ITEMS))
        y = torch.arange(ITEMS) % classes
        z = torch.randn(ITEMS, DIM)
        times: list[float] = []
        try:
            while len(times) <= TURNS and sum(times) < BUDGET_S:
                times.append(_turn(objective, z, y))
        except TooLarge as refused:
            return float("nan"), str(refused)
    return 1e3 * min(times), ""


def _turn(objective: Objective, z: torch.Tensor, y: torch.Tensor) -> float:
    leaf = z.clone().requires_grad_()
    batch = Embeddings(leaf, y, sample=torch.arange(len(y)))
    began = time.perf_counter()
    objective(batch).backward()
    return time.perf_counter() - began
