import json

import numpy as np
import pytest

from models.agreement import compare
from models.checkpoint import Material
from models.checkpoint.frozen import frozen
from tests.checkpoint.made import labelled, sound


def test_the_named_loss_agrees_with_itself_and_stands_first() -> None:
    z, y = sound(64, 4, spread=0.5)
    found = frozen(labelled(z, y), "infonce")
    assert found.standings[0].agreement == pytest.approx(1.0, abs=1e-6)
    assert len(found.standings) >= 12
    agreements = [one.agreement for one in found.standings if np.isfinite(one.agreement)]
    assert agreements == sorted(agreements, reverse=True)
    assert agreements[-1] < 0.99
    plain = compare(z, y)
    way = {reading.key: reading.way for reading in plain.readings}
    assert [one.way for one in found.standings] == pytest.approx([way[one.key] for one in found.standings], nan_ok=True)
    assert json.dumps([one.as_dict() for one in found.standings], allow_nan=False)


def test_without_a_named_loss_there_is_no_agreement_and_the_reason_is_told() -> None:
    material = labelled(*sound(40, 4))
    assert frozen(material).why_no_agreement == "no loss was named"
    assert all(np.isnan(one.agreement) for one in frozen(material).standings)
    assert "proxies" in frozen(material, "arcface").why_no_agreement


def test_refusals() -> None:
    z, y = sound(40, 4)
    with pytest.raises(ValueError, match="items with labels"):
        frozen(Material("bare", z=z))
    with pytest.raises(ValueError, match="batch must be 4"):
        frozen(labelled(z, y), batch=2)
