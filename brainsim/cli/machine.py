"""The verbs ``doctor`` and ``clean``: what this machine has. Neither imports Brian2."""

from __future__ import annotations

import configparser
import re
from importlib import metadata
from pathlib import Path

from brainsim import backends, provenance
from brainsim.backends import cache
from brainsim.cli.console import say, table
from brainsim.errors import Problem, SetupError


def doctor() -> None:
    """Show versions, compiler, cache and backends; raises SetupError if what is installed cannot work."""
    versions, wanted = provenance.versions(), pins()
    rows, problems = [], []
    for name, version in versions.items():
        need = wanted.get(name, "")
        fine = version is not None and _within(version, need)
        if need and not fine:
            got = f"{name} {version} is installed" if version else f"{name} is not installed"
            hint = f'pip install "{name}{need}"'
            problems.append(Problem("setup", f"{got}, brainsim needs {need or 'it'}", hint=hint))
        rows.append((name, version or "-", need, "" if fine or not need else "wrong"))
    say(table(("package", "installed", "needed", ""), rows) + "\n")
    machine = provenance.machine()
    usable = [(name, "no: " + reason if reason else "yes") for name, reason in backends.available().items()]
    say(table(("backend", "can be used"), usable) + "\n")
    found = cache.entries()
    here = [
        ("compiler", machine["compiler"] or "none was found"),
        ("processor", f"{machine['cpu']}, {machine['cores_allowed']} of {machine['cores']} cores"),
        ("system", machine["platform"]),
        ("cache", f"{_home(cache.folder())}: {_amount(found)} (brainsim clean empties it)"),
    ]
    say(table(("machine", ""), here))
    if problems:
        raise SetupError(problems)


def clean(dry_run: bool) -> None:
    """Remove compiled networks. They are made again when they are needed."""
    found = cache.entries()
    if dry_run:
        for entry in found:
            say(f"{_home(entry.path)}  {_size(entry.size)}")
        say(f"Would remove {_amount(found)} from {_home(cache.folder())}.")
        return
    kept = cache.remove(found)
    say(f"Removed {_amount([entry for entry in found if entry not in kept])} from {_home(cache.folder())}.")
    if kept:
        names = ", ".join(_home(entry.path) for entry in kept[:3])
        raise SetupError(
            Problem("path", f"{len(kept)} could not be removed: {names}", hint="Check who may write there.")
        )


def pins() -> dict[str, str]:
    """Packages brainsim needs -> versions that work: of the installed package, or of this checkout."""
    try:
        lines = metadata.requires("brainsim") or []
    except metadata.PackageNotFoundError:
        config = configparser.ConfigParser()
        config.read(Path(__file__).resolve().parents[2] / "setup.cfg", encoding="utf-8")
        text = config.get("options", "install_requires", fallback="")
        lines = [line for line in text.splitlines() if line.strip() and not line.strip().startswith("#")]
    found = (re.match(r"\s*([\w.-]+)\s*([^;]*)(;.*extra.*)?$", line) for line in lines)
    return {match[1].lower(): _sorted(match[2]) for match in found if match and not match[3]}


def _sorted(need: str) -> str:
    """Bounds with the lower one first: packaging tools write them down in either order."""
    return ",".join(sorted((piece.strip() for piece in need.split(",")), reverse=True))


def _within(version: str, need: str) -> bool:
    """Whether a version is one of those needed (releases only: that is what pins speak of)."""
    for piece in filter(None, need.split(",")):
        match = re.fullmatch(r"\s*(>=|<=|==|!=|<|>)\s*([\d.]+)\s*", piece)
        if match is None:
            continue
        a, b = _numbers(version), _numbers(match[2])
        length = max(len(a), len(b))
        a, b = a + [0] * (length - len(a)), b + [0] * (length - len(b))
        holds = {">=": a >= b, "<=": a <= b, "==": a == b, "!=": a != b, "<": a < b, ">": a > b}
        if not holds[match[1]]:
            return False
    return True


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", re.match(r"[\d.]*", version)[0])]  # type: ignore[index]


def _amount(found: list[cache.Entry]) -> str:
    libraries = sum(entry.path.suffix == ".so" for entry in found)
    words = f"{libraries} compiled network{'' if libraries == 1 else 's'}"
    return f"{words}, {_size(sum(entry.size for entry in found))}"


def _size(count: float) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count / 1e3:.1f} kB"


def _home(path: Path) -> str:
    home = Path.home()
    return f"~/{path.relative_to(home).as_posix()}" if path.is_relative_to(home) else str(path)
