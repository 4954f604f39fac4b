"""Files are written whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from archdsl.boundary.files import atomic_path, write_atomically
from archdsl.diagnostics.problems import ArchError


@pytest.mark.parametrize(
    "place", ["missing/net.json", "folder", "folder/file/net.json", "a\0b.json", f"{'n' * 300}.json"]
)
def test_unwritable_places_are_refused(place: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").touch()
    with pytest.raises(ArchError, match="E603"):
        write_atomically(tmp_path / place, "text")


def test_no_permission_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("archdsl.boundary.files.os.access", lambda path, mode: False)
    with pytest.raises(ArchError, match="no permission"):
        write_atomically(tmp_path / "net.json", "text")


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "net.json"
    target.write_text("old")
    with pytest.raises(UnicodeEncodeError), atomic_path(target) as temporary:
        temporary.write_text("half, then \ud800", encoding="utf-8")
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_full_disk_is_a_diagnostic(tmp_path: Path) -> None:
    with pytest.raises(ArchError, match="No space left"), atomic_path(tmp_path / "net.json"):
        raise OSError(28, "No space left on device")
    assert not list(tmp_path.iterdir())


def test_modes_and_links_are_kept(tmp_path: Path) -> None:
    target, plain = tmp_path / "net.json", tmp_path / "plain"
    target.touch(mode=0o640)
    plain.touch()
    (tmp_path / "link.json").symlink_to(target)
    write_atomically(tmp_path / "link.json", "linked")
    assert (tmp_path / "link.json").is_symlink()
    assert (target.read_text(), target.stat().st_mode & 0o777) == ("linked", 0o640)
    write_atomically(tmp_path / "new.json", b"bytes")
    assert (tmp_path / "new.json").stat().st_mode == plain.stat().st_mode
