"""What is raised when training leaves the numbers that can be trained on."""

from math import isfinite

import torch
from torch import nn


class Diverged(ArithmeticError):
    """The loss or a gradient is not finite; the run has gone back to weights from which it can go on."""

    def __init__(self, step: int, tensor: str, last_loss: float, kept: int) -> None:
        """`step` failed, `kept` is the step the run stands at now."""
        before = (
            f"last finite loss: {last_loss:.4g} at step {step - 1}" if isfinite(last_loss) else "no finite loss yet"
        )
        super().__init__(
            f"Step {step}: {tensor} is not finite ({before}). "
            f"The weights of step {kept} are kept. Lower the learning rate or raise the temperature, then resume."
        )
        self.step, self.tensor, self.last_loss, self.kept = step, tensor, last_loss, kept


class NotFinite(ArithmeticError):
    """Names the tensor."""


def culprit(**parts: nn.Module) -> str:
    """The first parameter whose gradient is not finite, behind the name of its part."""
    for prefix, module in parts.items():
        for name, parameter in module.named_parameters():
            if parameter.grad is not None and not torch.isfinite(parameter.grad).all():
                return f"{prefix}.{name}"
    return "all parameters together"
