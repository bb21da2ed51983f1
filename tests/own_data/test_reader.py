"""Files as columns: every kind that is accepted, the line of every row, and what is refused."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from PIL import Image

from models.own_data.assemble import assemble
from models.own_data.reader import read
from models.own_data.roles import guess_roles
from models.reading.refused import Limits
from tests.own_data.helpers import digits, wine

RAGGED = "a,b,label\n" + "1,2,x\n2,3,y\n" * 10 + "1,2\n5,,x\n6,oops,y\n1,2,3,4\n7,8,x\n"


def written(folder: Path, name: str, text: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_a_csv_of_numbers_and_classes(tmp_path: Path) -> None:
    columns = wine()
    rows = zip(*(column.tolist() for column in columns.values.values()), strict=True)  # type: ignore[union-attr]
    text = "\n".join([",".join(columns.names), *(",".join(map(repr, row)) for row in rows)])
    found, notes = read(written(tmp_path, "wine.csv", text))
    assert (found.names, len(found), notes, found.refused) == (columns.names, 178, (), ())
    assert found.lines.tolist() == list(range(2, 180))
    assert assemble(found, guess_roles(found)).own.key == assemble(columns, guess_roles(columns)).own.key


def test_refused_rows_of_reader_and_roles_have_their_lines(tmp_path: Path) -> None:
    found, _ = read(written(tmp_path, "ragged.csv", RAGGED))
    made = assemble(found, guess_roles(found))
    assert [(row.line, row.reason) for row in made.refused] == [
        (22, "2 cells, the header has 3. Missing values must be filled."),
        (23, "column 'b' is empty"),
        (24, "column 'b' holds 'oops', which is not a number"),
        (25, "4 cells, the header has 3."),
    ]
    assert made.own.arrays["line"].tolist() == [*range(2, 22), 26]
    fewer = assemble(found, guess_roles(found).with_role("b", "ignore"))
    assert [row.line for row in fewer.refused] == [22, 25]


def test_texts_of_several_lines_are_counted(tmp_path: Path) -> None:
    text = "text,mood\n" + '"one\ntwo",a\nthree,b\n' * 8 + "four,\n"
    found, _ = read(written(tmp_path, "texts.csv", text))
    assert found.lines.tolist() == [line for k in range(8) for line in (2 + 3 * k, 4 + 3 * k)] + [26]
    (refused,) = assemble(found, guess_roles(found)).refused
    assert (refused.line, refused.reason) == (26, "the label in column 'mood' is missing")


def test_without_a_header_lines_count_from_the_first(tmp_path: Path) -> None:
    found, notes = read(written(tmp_path, "bare.csv", "1.5,2\n2.5,3\n"))
    assert (found.names, found.lines.tolist()) == (("c0", "c1"), [1, 2])
    assert [note[:4] for note in notes] == ["W212"]


def test_arrays_parquet_and_pictures(tmp_path: Path) -> None:
    columns = digits(60)
    pixels, names = np.asarray(columns.values["image"]), columns.words("class")
    np.savez(tmp_path / "xy.npz", X=pixels.reshape(60, -1).astype(np.float32), y=np.array(names).astype(np.int64))
    flat = [row.tolist() for row in pixels.reshape(60, -1)]
    parquet.write_table(pa.table({"e": flat, "y": names}), tmp_path / "p.parquet")
    with zipfile.ZipFile(tmp_path / "d.zip", "w") as archive:
        for row, name in enumerate(names):
            buffer = io.BytesIO()
            Image.fromarray(pixels[row]).save(buffer, "PNG")
            archive.writestr(f"digits/{name}/{row}.png", buffer.getvalue())
    made = {}
    for name in ("xy.npz", "p.parquet", "d.zip"):
        found, _ = read(tmp_path / name)
        assert found.lines.tolist() == list(range(60))
        made[name] = assemble(found, guess_roles(found)).own
        assert made[name].about.classes == tuple("0123456789")
        assert made[name].arrays["y"].tolist() == [int(word) for word in names]
    assert made["xy.npz"].arrays["numbers"] == pytest.approx(made["p.parquet"].arrays["numbers"])
    assert made["d.zip"].load().x[:, 0] == pytest.approx(pixels / 255)


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("picture.csv", b"\x89PNG\r\n\x1a\n0000", "E102"),
        ("page.csv", b"<!doctype html><html><body>log in</body></html>", "E102"),
        ("empty.csv", b"", "E101"),
        ("data.pkl", b"\x80\x04K\x01.", "E110"),
        ("head.csv", b"a,b\n", "E109"),
    ],
)
def test_files_that_are_no_table_are_refused(tmp_path: Path, name: str, content: bytes, code: str) -> None:
    with pytest.raises(ValueError, match=f"^{code} "):
        read(written(tmp_path, name, content))


def test_too_many_rows_are_refused_before_they_are_roles(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^E106 "):
        read(written(tmp_path, "long.csv", "a,b\n" + "1,2\n" * 300), limits=Limits(rows=200))
