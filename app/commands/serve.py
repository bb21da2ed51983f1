"""Start the page on this machine (what python -m app does without a command)."""

import argparse
import socket
from pathlib import Path

from app.cli import DONE, Refused
from models.custom import REGISTER
from models.settings import Settings

ADDRESS = "127.0.0.1"


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this command."""
    parser.add_argument("--port", type=int, default=8501, help="port on 127.0.0.1; 0 takes any free one (default 8501)")
    parser.add_argument("--no-browser", action="store_true", help="do not open a browser window")
    parser.add_argument(
        "--allow-custom-loss",
        action="store_true",
        help="let the page take the code of a loss and run it in limited worker processes; for local use only",
    )
    parser.add_argument("--losses", metavar="FOLDER", help="offer the losses in the .py files of this folder too")


def run(args: argparse.Namespace) -> int:
    """Check what a start needs, then serve until stopped; Ctrl-C is the normal end and gives exit code 0."""
    port = free_port(args.port)
    try:
        settings = Settings.from_environment()
    except ValueError as error:
        raise Refused(str(error)) from None
    writable(settings.home)
    own_losses(args, settings)
    # Streamlit takes most of a second to import: a refused start and --help answer without it.
    from app.asgi import serve

    serve(ADDRESS, port, browser=not args.no_browser)
    return DONE


def own_losses(args: argparse.Namespace, settings: Settings) -> None:
    """Let this server read own losses if it was asked to; raises Refused where that does not go together."""
    if args.losses is not None and not args.allow_custom_loss:
        raise Refused("--losses needs --allow-custom-loss: its files are code that this server would run")
    if not args.allow_custom_loss:
        return
    if settings.scheduler:
        raise Refused("--allow-custom-loss is for workers on this machine: start without LOSSLAB_SCHEDULER")
    folder = None if args.losses is None else Path(args.losses).expanduser().absolute()
    if folder is not None and not folder.is_dir():
        raise Refused(f"--losses {args.losses} is no folder")
    REGISTER.allow(folder)


def free_port(port: int) -> int:
    """The port itself, or a free one for 0; raises Refused if it is taken or no port number."""
    if not 0 <= port <= 65_535:
        raise Refused(f"--port must be a whole number from 0 to 65535, got {port}")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((ADDRESS, port))
        except PermissionError:
            raise Refused(f"Port {port} needs administrator rights: choose one from 1024 with --port.") from None
        except OSError:
            other = port + 1 if port < 65_535 else 8501
            raise Refused(f"Port {port} is taken: stop the other program, or use --port {other}.") from None
        number: int = probe.getsockname()[1]
    return number


def writable(folder: Path) -> None:
    """Make the folder of runs if need be; raises Refused if nothing can be written there."""
    trial = folder / ".write-test.tmp"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        trial.write_bytes(b"")
        trial.unlink()
    except OSError as error:
        reason = error.strerror or "it cannot be written"
        raise Refused(f"The run folder {folder} cannot be written ({reason}): set LOSSLAB_HOME to another.") from None
