"""Limits that the kernel keeps for this process, set from inside before foreign code runs; none can be lifted again."""

import resource
from pathlib import Path

MEGABYTE = 1 << 20
_STATM = Path("/proc/self/statm")  # Linux only: elsewhere the address space of a process is not told


def limit_memory(more_mb: int) -> None:
    """Let the address space grow by so much beyond what is in use now; an allocation beyond that fails."""
    if not _STATM.exists():
        return
    used = int(_STATM.read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    wanted = used + more_mb * MEGABYTE
    resource.setrlimit(resource.RLIMIT_AS, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))


def limit_processor(more_s: int) -> None:
    """Let this process use so many more seconds of processor time; then the kernel ends it (SIGXCPU)."""
    spent = resource.getrusage(resource.RUSAGE_SELF)
    wanted = int(spent.ru_utime + spent.ru_stime) + 1 + more_s
    resource.setrlimit(resource.RLIMIT_CPU, (wanted, wanted))


def limit_files() -> None:
    """No core dump, and no file longer than a megabyte."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (MEGABYTE, MEGABYTE))


def told(error: BaseException, most_mb: int) -> str:
    """An error of foreign code in one line, a failed allocation in our words."""
    text = " ".join(str(error).split())[:300]
    if isinstance(error, MemoryError) or "allocate memory" in text:
        return f"it asked for more than {most_mb} MB of memory"
    return f"{type(error).__name__}: {text}"


def limit_open(most: int) -> None:
    """At most so many files open at once."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, hard), min(most, hard)))
