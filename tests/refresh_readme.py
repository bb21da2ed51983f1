"""Writes what README.md takes from the program: the number, the quoted file, the lists of losses and lessons.

python -m tests.refresh_readme
"""

import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"


def output(*command: str) -> str:
    """What `python -m app ...` prints."""
    done = subprocess.run([sys.executable, "-m", "app", *command], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout


def auc() -> float:
    """The number that the README promises: of the default run."""
    return float(json.loads(output("train", "--json"))["metrics"]["auc"])


def quoted(path: str) -> str:
    """A file as it stands in the README."""
    return f"```python\n{(ROOT / path).read_text(encoding='utf-8')}```"


def losses() -> str:
    """The table of losses."""
    return output("losses", "--markdown").rstrip("\n")


def lessons() -> str:
    """The table of lessons."""
    return output("lessons", "--markdown").rstrip("\n")


def region(text: str, name: str) -> str:
    """What stands between <!-- name --> and its end; raises LookupError if there is no such region."""
    found = re.search(_pattern(name), text, re.DOTALL)
    if found is None:
        raise LookupError(f"README.md has no region {name!r}")
    return found[2].strip("\n")


def replaced(text: str, name: str, content: str) -> str:
    """The text with one region's content exchanged."""
    region(text, name)
    return re.sub(_pattern(name), lambda found: f"{found[1]}\n{content}\n{found[3]}", text, flags=re.DOTALL)


def files(text: str) -> list[str]:
    """Paths of the files that the text quotes."""
    return re.findall(r"<!-- file (\S+) -->", text)


def _pattern(name: str) -> str:
    return rf"(<!-- {re.escape(name)} -->)(.*?)(<!-- /{re.escape(name.split()[0])} -->)"


def main() -> None:
    """Rewrite the regions in place."""
    text = README.read_text(encoding="utf-8")
    for path in files(text):
        text = replaced(text, f"file {path}", quoted(path))
    text = replaced(text, "losses", losses())
    text = replaced(text, "lessons", lessons())
    text = replaced(text, "auc", f"    {auc()!r}")
    README.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
