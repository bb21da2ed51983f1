"""The command line: finds the command, reads its options, and turns what goes wrong into one line and an exit code.

Exit codes: 0 done, 1 the run diverged or something unexpected happened, 2 bad input or refused start, 130 interrupted.
"""

import argparse
import ast
import os
import secrets
import sys
import traceback
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import NoReturn

from models.settings import Settings

COMMANDS = Path(__file__).parent / "commands"
PAGE = "serve"  # what runs when no command is named
DONE, FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130


class Refused(Exception):
    """Input that cannot be used, or a start that cannot be made; the text is the one line to show."""


class Parser(argparse.ArgumentParser):
    """Complains in one line instead of a page of usage."""

    def error(self, message: str) -> NoReturn:
        """Raise Refused with what is wrong and where the options stand."""
        raise Refused(f"{message} (see {self.prog} --help)")


def commands() -> Mapping[str, str]:
    """Name and first docstring line of each command: the folder is the registry, read without importing anything."""
    found = {}
    for path in sorted(COMMANDS.glob("*.py")):
        text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
        if text:
            found[path.stem] = text.splitlines()[0]
    return found


def main(argv: Sequence[str]) -> int:
    """Run one command; returns the exit code and writes at most one line about a failure on standard error."""
    try:
        return _dispatch(list(argv))
    except Refused as error:
        return _complain(str(error), BAD_INPUT)
    except KeyboardInterrupt:
        return _complain("Interrupted.", INTERRUPTED)
    except BrokenPipeError:  # the reader of our output went away, as `| head` does
        sys.stderr.close()
        return DONE
    except Exception:
        return _complain(_logged(traceback.format_exc()), FAILED)


def _dispatch(argv: list[str]) -> int:
    known = commands()
    if argv[:1] in (["-h"], ["--help"]):
        sys.stdout.write(_help(known))
        return DONE
    if argv and not argv[0].startswith("-"):
        name, rest = argv[0], argv[1:]
    else:
        name, rest = PAGE, argv
    if name not in known:
        raise Refused(f"no command called {name!r}; known: {', '.join(known)} (see python -m app --help)")
    module = import_module(f"app.commands.{name}")
    shown = "python -m app" if name == PAGE else f"python -m app {name}"
    parser = Parser(prog=shown, description=known[name], allow_abbrev=False)
    module.arguments(parser)
    code: int = module.run(parser.parse_args(rest))
    return code


def _help(known: Mapping[str, str]) -> str:
    width = max(map(len, known))
    lines = [f"  {name:{width}}  {text}" for name, text in known.items()]
    return "\n".join(
        [
            "usage: python -m app [--port PORT] [--no-browser] [--allow-custom-loss [--losses FOLDER]]",
            "       python -m app COMMAND [options]",
            "",
            "Without a command the page starts on this machine. Commands:",
            *lines,
            "",
            "python -m app COMMAND --help lists the options of one.",
            "",
        ]
    )


def _complain(text: str, code: int) -> int:
    sys.stderr.write(" ".join(text.split()) + "\n")
    return code


def _logged(details: str) -> str:
    """Keep a traceback where it can be found again, and say so without showing it."""
    home = Settings.from_environment({"LOSSLAB_HOME": os.environ.get("LOSSLAB_HOME", "")}).home
    number, log = incident(), home / "incidents.log"
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("a", encoding="utf-8") as file:
            file.write(f"incident {number}\n{details}\n")
    except OSError as error:
        return f"Something went wrong here, and {log} cannot be written ({error.strerror}): {details.splitlines()[-1]}"
    return f"Something went wrong here (incident {number}). Your data and runs are as before. {log} has the details."


def incident() -> str:
    """Four letters and digits that join what a person saw to what the log holds."""
    return "".join(secrets.choice("23456789ABCDEFGHJKLMNPQRSTUVWXYZ") for _ in range(4))
