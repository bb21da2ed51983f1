"""Run the benchmarks: `python -m tests.benchmarks [name ...]`; every module here with a main() is one.

main() returns rows of (what was measured, figure with its unit); one table of all rows is printed. Nothing is asserted.
"""

import sys
import time
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules


def names() -> list[str]:
    """All benchmark modules beside this file."""
    found = (info.name for info in iter_modules([str(Path(__file__).parent)]))
    return sorted(name for name in found if not name.startswith("_"))


def main(chosen: list[str]) -> int:
    """Print one table; returns 2 if a name is not known."""
    known = names()
    unknown = [name for name in chosen if name not in known]
    if unknown:
        print(f"no benchmark called {unknown[0]!r}; known: {', '.join(known)}", file=sys.stderr)
        return 2
    print("| benchmark | what | measured |\n|---|---|---|")
    for name in chosen or known:
        start = time.perf_counter()
        for what, figure in import_module(f"tests.benchmarks.{name}").main():
            print(f"| {name} | {what} | {figure} |", flush=True)
        print(f"| {name} | all of it | {time.perf_counter() - start:.0f} s |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
