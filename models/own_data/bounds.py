"""How large a user's own set may be; the bounds of a server on one's own machine."""

from dataclasses import dataclass

import numpy as np

MEGABYTE = 1 << 20


@dataclass(frozen=True)
class Bounds:
    """What one set may hold."""

    rows: int = 1_000_000
    width: int = 4096  # numbers of a row
    classes: int = 10_000
    matrix_mb: int = 1024  # of what is trained on, as float32
    views: int = 8  # of one item
    fewest: int = 12  # items


LOCAL = Bounds()


def check_rows(rows: int, bounds: Bounds = LOCAL) -> None:
    """Raise ValueError if there are no rows or too many."""
    if rows == 0:
        raise ValueError("E109 there is a header but no row.")
    if rows > bounds.rows:
        raise ValueError(f"E106 {rows:,} rows; the limit here is {bounds.rows:,}. Use a sample of them.")


def check_matrix(rows: int, shape: tuple[int, ...], bounds: Bounds = LOCAL) -> None:
    """Raise ValueError if a row has too many numbers, or all rows together do not fit."""
    width = int(np.prod(shape))
    if len(shape) == 1 and width > bounds.width:
        raise ValueError(f"E107 {width:,} features; the limit is {bounds.width:,}. Give some columns the role ignore.")
    size = rows * width * 4
    if size > bounds.matrix_mb * MEGABYTE:
        fits = bounds.matrix_mb * MEGABYTE // (4 * width)
        raise ValueError(
            f"E106 {rows:,} rows of {width:,} numbers need {size / MEGABYTE:,.0f} MB; the limit here is "
            f"{bounds.matrix_mb:,} MB. Use a sample of at most {fits:,} rows, or fewer columns."
        )


def check_classes(classes: int, bounds: Bounds = LOCAL) -> None:
    """Raise ValueError if there are too many classes."""
    if classes > bounds.classes:
        raise ValueError(
            f"E156 {classes:,} classes; the limit is {bounds.classes:,}. Is the label column an id? "
            "Give it the role ignore."
        )
