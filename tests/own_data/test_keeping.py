"""Keeping: a set under a hash of its content, found by every process, whole or not at all, within a budget."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.catalogue import find
from models.own_data import keeping, kept
from models.own_data.assemble import assemble
from models.own_data.keeping import delete, keep, listed
from models.own_data.own_set import About, OwnSet, pack_texts, unpack_texts
from models.own_data.roles import guess_roles
from models.settings import Settings
from models.training.config import Part, RunConfig, pairings
from models.training.run import Run
from tests.conftest import ROOT
from tests.own_data.helpers import digits, grid, table, wine


def own(name: str = "wine.csv") -> OwnSet:
    columns = wine()
    return assemble(columns, guess_roles(columns), name).own


def unlabelled() -> OwnSet:
    columns = table({"a": grid(40)[:, 0], "b": grid(40)[:, 1]})
    return assemble(columns, guess_roles(columns)).own


def config(key: str, **changes: object) -> RunConfig:
    sampler = Part("uniform", (("batch", 16),))
    return RunConfig(data=Part(key), sampler=sampler, steps=20, **changes)  # type: ignore[arg-type]


@pytest.mark.usefixtures("home")
def test_what_comes_back_is_what_was_kept() -> None:
    first = own()
    module = find("data", keep(first))
    assert (module.SPEC.key, module.SPEC.name, module.SPEC.kind) == (first.key, "wine.csv (own)", "points")
    assert module.SPEC.teaches == "Your own data: 178 items, 3 classes."
    back, source = module.load(), first.load()
    assert (back.x == source.x).all()
    assert (back.y == source.y).all()
    assert back.classes == source.classes == module.CLASSES


def test_the_key_changes_with_content_and_roles_and_not_with_the_name() -> None:
    plain, columns = own(), wine()
    assert plain.key == own("other.csv").key
    roles = guess_roles(columns)
    fewer = assemble(columns, roles.with_role("hue", "ignore")).own
    moved = columns.values["hue"] + np.eye(1, 178)[0]  # type: ignore[operator]
    other = assemble(table({**columns.values, "hue": moved}), roles).own
    renamed = OwnSet(replace(plain.about, classes=("a", "b", "c")), plain.arrays)
    assert len({plain.key, fewer.key, other.key, renamed.key}) == 4
    assert all(len(one.key) == len("own:") + 12 for one in (plain, fewer, other))


@pytest.mark.usefixtures("home")
def test_a_run_with_it_goes_on_where_it_was_kept(tmp_path: Path) -> None:
    run = Run(config(keep(own())))
    run.advance(10)
    run.save(tmp_path / "run")
    run.advance(10)
    again = Run.load(tmp_path / "run")
    again.advance(10)
    assert again.trace.loss[19] == run.trace.loss[19]
    assert RunConfig.from_json(run.config.to_json()) == run.config


def test_another_process_finds_it_by_its_home(home: Settings) -> None:
    made = config(keep(own())).to_json()
    code = (
        "from models.training.config import RunConfig; from models.training.run import Run; import sys; "
        f"run = Run(RunConfig.from_json({made!r})); run.advance(3); sys.stdout.write(repr(run.trace.loss[2]))"
    )
    here = Run(RunConfig.from_json(made))
    here.advance(3)
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert float(done.stdout) == here.trace.loss[2]


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("key", ["own:0123456789ab", "own:../../x", "own:0123456789AB", "own:"])
def test_a_key_that_is_not_here_is_one_sentence(key: str) -> None:
    with pytest.raises(ValueError, match=r"^E194 (the data set own:0123456789ab is not on this server|a data set of)"):
        RunConfig(data=Part(key))


@pytest.mark.usefixtures("home")
def test_without_labels_only_views_are_paired() -> None:
    key = keep(unlabelled())
    assert pairings(key) == ("views",)
    assert config(key).pairing == "views"
    with pytest.raises(ValueError, match="pairing must be one of views, got 'label'"):
        config(key, pairing="label")
    run = Run(config(key))
    run.advance(20)
    assert run.trace.loss[-1] < run.trace.loss[0]
    assert "class of its own" in run.snapshot().why_no_unseen


def test_a_damaged_set_is_told_and_can_be_deleted(home: Settings) -> None:
    key = keep(own())
    path = kept.path_of(key)
    good = path.read_bytes()
    for spoilt in (good[:-8] + bytes(8), good[:100], b""):
        path.write_bytes(spoilt)
        kept.opened.cache_clear()
        with pytest.raises(ValueError, match=rf"^E195 the data set {key} is damaged"):
            find("data", key).load()
    path.with_suffix(".json").write_text("{}", encoding="utf-8")
    with pytest.raises(ValueError, match=r"^E195 .* \(KeyError\)"):
        find("data", key)
    assert [one.name for one in listed()] == ["damaged"]
    delete(key)
    assert listed() == []
    assert list((home.home / kept.FOLDER).iterdir()) == []


@pytest.mark.usefixtures("home")
def test_arrays_that_do_not_belong_to_the_key_are_refused() -> None:
    key, other = keep(own()), keep(unlabelled())
    kept.path_of(key).write_bytes(kept.path_of(other).read_bytes())
    kept.opened.cache_clear()
    with pytest.raises(ValueError, match=r"damaged \(checksum\)"):
        find("data", key).load()


def test_the_budget_is_kept_and_deleting_makes_room(home: Settings) -> None:
    block = grid(4000, 40)
    first, second = (
        assemble(columns, guess_roles(columns)).own
        for columns in (table({"e": block + shift, "label": ["a", "b"] * 2000}) for shift in (0.0, np.eye(4000, 40)))
    )
    small = replace(home, own_data_mb=1)
    keep(first, small)
    assert keep(first, small) == first.key  # it is there already
    with pytest.raises(ValueError, match=r"^E128 your own data sets use 1 of 1 MB, and this one needs 0\.7 MB"):
        keep(second, small)
    assert [one.key for one in listed(small)] == [first.key]
    delete(first.key, small)
    keep(second, small)
    assert [(one.key, one.items) for one in listed(small)] == [(second.key, 4000)]


def test_a_full_disk_is_told(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "FREE_MB", 1 << 40)
    with pytest.raises(ValueError, match=r"^E128 the disk has [\d,]+ MB left"):
        keep(own())
    assert listed() == []


def test_a_write_that_fails_leaves_nothing(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_path: Path, _payload: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(keeping, "write_atomic", fails)
    with pytest.raises(ValueError, match=r"^E128 .*No space left on device"):
        keep(own())
    assert list((home.home / kept.FOLDER).iterdir()) == []


def test_the_files_are_arrays_and_json_for_this_user_alone(home: Settings) -> None:
    key = keep(assemble(digits(), guess_roles(digits()), "d.zip").own)
    where = home.home / kept.FOLDER
    assert sorted(path.name for path in where.iterdir()) == [f"{key[4:]}.json", f"{key[4:]}.safetensors"]
    assert (where.stat().st_mode & 0o777, home.home.stat().st_mode & 0o777) == (0o700, 0o700)
    about = json.loads((where / f"{key[4:]}.json").read_text(encoding="utf-8"))
    assert (about["name"], about["kind"], about["roles"]) == (
        "d.zip",
        "image",
        [["image", "feature"], ["class", "label"]],
    )
    assert About.from_json(json.dumps(about)) == find("data", key).about


@pytest.mark.parametrize("texts", [["a", "", "é中", "\n"], [""], []])
def test_texts_come_back(texts: list[str]) -> None:
    assert unpack_texts(pack_texts("read", texts), "read") == texts
    assert unpack_texts({}, "read") == []
