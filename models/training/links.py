"""Pairs that are links of a graph: which nodes count as positive and as negative for which, in training and beyond."""

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from models.training.dataset import Dataset

EDGE, RIVAL, APART = 1, 0, -1  # how two nodes stand to each other


class Links:
    """Rows of the data are links. Negatives are nodes without a link, of the type of the node that is linked.

    In training a held-out link is unknown, so it counts as none. On the probe the held-out links are the positives, and
    those of training count as nothing (the filtered setting of link prediction, Bordes et al. 2013).
    """

    def __init__(self, data: Dataset, device: torch.device) -> None:
        ends, types = data.source.ends, data.source.types
        assert ends is not None, "this data set is no graph"
        assert types is not None, "a graph tells the type of every node"
        self._ends, self._types = torch.from_numpy(ends).to(device), torch.from_numpy(types).to(device)
        known = np.zeros((len(types), len(types)), np.int8)
        _link(known, ends[np.unique(data.train)], EDGE)
        asked = np.zeros_like(known)
        _link(asked, ends[data.probe], EDGE)
        _link(asked, ends[np.unique(data.train)], APART)
        self._known, self._asked = (torch.from_numpy(table).to(device) for table in (known, asked))

    def of(self, rows: Tensor, held_out: bool) -> tuple[Int[Tensor, " 2n"], Int[Tensor, " 2n"], Int[Tensor, "2n k"]]:
        """Node, its type, and how it stands to all k nodes, of one end of all links and then of the other.

        held_out: as on the probe. An end stands apart from nodes of another type than its link's other end.
        """
        one, other = self._ends[rows].T
        node, mate = torch.cat([one, other]), torch.cat([other, one])
        table = self._asked if held_out else self._known
        alike = self._types[mate][:, None] == self._types[None, :]
        return node, self._types[node], torch.where(alike, table[node], APART)

    def standing(self, rows: Tensor, held_out: bool) -> Int[Tensor, "n n"]:
        """How one end of each link stands to the other ends of all."""
        node, _, stands = self.of(rows, held_out)
        n = len(rows)
        return stands[:n][:, node[n:]]


def _link(table: np.ndarray, ends: np.ndarray, value: int) -> None:
    """Links have no direction."""
    table[ends[:, 0], ends[:, 1]] = value
    table[ends[:, 1], ends[:, 0]] = value
