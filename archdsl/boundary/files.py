"""Writing files whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from archdsl.diagnostics.model import Diagnostic
from archdsl.diagnostics.problems import ArchError


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A fresh file beside ``path`` to write to, which takes ``path``'s place when the block ends well.

    If the block raises, ``path`` stays as it was and nothing is left behind. The temporary name keeps
    the suffix; a link is followed. Raises ArchError E603 where the place cannot be written.
    """
    check_writable(path)
    target = Path(path).resolve()
    temporary = target.with_name(f".{target.stem[:64]}-{os.urandom(4).hex()}{target.suffix}")
    try:
        with _refusing(path):
            temporary.touch(exist_ok=False)
            yield temporary
            _settle(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def write_atomically(path: str | os.PathLike[str], content: bytes | str) -> None:
    """Write ``content`` (text as UTF-8) to ``path``, whole or not at all. Raises ArchError E603."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)


def check_writable(path: str | os.PathLike[str]) -> None:
    """Raise ArchError E603 if ``path`` plainly cannot be written: to be asked before long work."""
    target = Path(path)
    try:
        folder = target.resolve().parent
        if target.is_dir():
            raise _cannot_write(path, "it is a directory", "name a file in it")
        if target.exists() and not target.is_file():
            raise _cannot_write(path, "it is no regular file", "write to a file")
        if not folder.is_dir():
            raise _cannot_write(path, f"there is no directory {folder}", "make it first, or write elsewhere")
        if not os.access(folder, os.W_OK | os.X_OK):
            raise _cannot_write(path, f"no permission to write in {folder}", "write elsewhere")
    except (OSError, ValueError, RuntimeError) as error:  # a name too long, a null byte, a loop of links
        raise _cannot_write(path, str(error)) from error


def _settle(temporary: Path, target: Path) -> None:
    """Bring the file to disk, then let it take the target's place and mode."""
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
    if target.exists():
        temporary.chmod(target.stat().st_mode & 0o777)
    temporary.replace(target)


@contextmanager
def _refusing(path: str | os.PathLike[str]) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _cannot_write(path, error.strerror or str(error)) from error


def _cannot_write(path: str | os.PathLike[str], why: str, help: str = "") -> ArchError:
    return ArchError(Diagnostic("E603", f"cannot write {os.fspath(path)}: {why}", help=help))
