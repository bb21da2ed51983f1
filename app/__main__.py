"""python -m app: without arguments the page, with a command the same runs without a page."""

import sys
from pathlib import Path

if __name__ == "__main__":
    # Also when started as `python path/to/app` from some other folder.
    sys.path[:0] = [] if str(Path(__file__).parents[1]) in sys.path else [str(Path(__file__).parents[1])]
    from app.cli import main  # after the path is set

    sys.exit(main(sys.argv[1:]))
