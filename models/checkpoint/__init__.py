"""A user's checkpoint: from arrays to findings. `from models.checkpoint import diagnose, Material`."""

from models.checkpoint.diagnose import diagnose
from models.checkpoint.diagnosis import Diagnosis
from models.checkpoint.material import Material, Pairs, Relevance, ScoreTable, codes

__all__ = ["Diagnosis", "Material", "Pairs", "Relevance", "ScoreTable", "codes", "diagnose"]
