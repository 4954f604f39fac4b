"""What gets installed: every package, every data file, and nothing under foreign top-level names."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
MAPPED = {"cli": "archdsl.cli", "docs": "archdsl.docs", "grammar": "archdsl.grammar", "specs": "archdsl.specs"}
OF_THE_CHECKOUT = ("benchmarks", "tests", "tools")
"""Code that is no part of the package."""
COMMANDS = [
    (("build", "resnet50"), "25,557,032"),
    (("stats", "densenet121"), "7,978,856"),
    (("check", "wide_resnet50_2"), "no errors"),
    (("list",), "resnext101_64x4d"),
    (("explain", "E301"), "E301"),
]


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source = copied_source(tmp_path_factory.mktemp("source"))
    target = tmp_path_factory.mktemp("wheel")
    pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(target), str(source))
    (built,) = target.glob("*.whl")
    return built


def copied_source(target: Path) -> Path:
    """A copy of the checkout to build from, which leaves its build folder there."""
    for name in ("archdsl", *MAPPED, "pyproject.toml", "README.md", "LICENSE"):
        copy_clean(ROOT / name, target / name)
    for name in OF_THE_CHECKOUT:
        (target / name).mkdir()
        copy_clean(ROOT / name / "__init__.py", target / name / "__init__.py")
    return target


def copy_clean(source: Path, target: Path) -> None:
    if source.is_dir():
        target.mkdir()
        for entry in source.iterdir():
            if not entry.name.startswith((".", "__pycache__")) and not entry.name.endswith(".egg-info"):
                copy_clean(entry, target / entry.name)
    elif source.exists():
        target.write_bytes(source.read_bytes())


def pip(*arguments: str) -> None:
    run(sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments)


def run(*command: str, cwd: Path | None = None) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def package_of(folder: Path) -> str:
    first, *rest = folder.relative_to(ROOT).parts
    return ".".join((MAPPED.get(first, first), *rest))


def test_every_folder_of_code_is_a_package(project: dict[str, Any]) -> None:
    modules = [path for top in ("archdsl", "cli") for path in (ROOT / top).rglob("*.py")]
    assert {package_of(path.parent) for path in modules} | set(MAPPED.values()) == set(
        project["tool"]["setuptools"]["packages"]
    )


def test_packages_of_code_are_no_namespaces() -> None:
    """A folder without ``__init__.py`` would be searched for along the whole path at each import."""
    folders = {path.parent for top in ("archdsl", "cli") for path in (ROOT / top).rglob("*.py")}
    assert [str(folder) for folder in folders if not (folder / "__init__.py").exists()] == []


def test_mapped_folders_are_declared(project: dict[str, Any]) -> None:
    declared = project["tool"]["setuptools"]["package-dir"]
    assert declared == {package: folder for folder, package in MAPPED.items()}


def test_types_of_the_commands_are_seen(project: dict[str, Any]) -> None:
    """Those who stand beside them import them as mypy finds them, and mypy passes over none of our own modules."""
    ignored = [name for override in project["tool"]["mypy"]["overrides"] for name in override["module"]]
    assert [name for name in ignored if name.split(".")[0] in ("archdsl", *MAPPED, *OF_THE_CHECKOUT)] == []
    files = [path for top in OF_THE_CHECKOUT for path in (ROOT / top).rglob("*.py")]
    unseen = re.compile(r"^\s*(from|import) archdsl\.cli\b", re.MULTILINE)
    assert [str(path) for path in files if unseen.search(path.read_text(encoding="utf-8"))] == []


def test_constraints_pin_what_tests_use(project: dict[str, Any]) -> None:
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = {pin.split("==")[0].lower() for pin in pins}
    project_table = project["project"]
    required = [*project_table["dependencies"], *chain(*project_table["optional-dependencies"].values())]
    names = {requirement.split(">")[0].split("=")[0].split("[")[0] for requirement in required} - {"archdsl"}
    assert names <= pinned


@pytest.mark.slow
def test_wheel_holds_code_and_data_alone(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        assert archive.read("archdsl/cli/__init__.py") == (ROOT / "cli" / "__init__.py").read_bytes()
    code = {str(path.relative_to(ROOT)) for path in (ROOT / "archdsl").rglob("*.py")}
    code |= {f"archdsl/{path.relative_to(ROOT)}" for path in (ROOT / "cli").rglob("*.py")}
    specs = {f"archdsl/{path.relative_to(ROOT)}" for path in (ROOT / "specs").rglob("*.*")}
    data = {"archdsl/grammar/arch.lark", "archdsl/grammar/tables.json", "archdsl/docs/errors.md", "archdsl/py.typed"}
    metadata = {name for name in names if ".dist-info/" in name}
    assert names - metadata == code | specs | data


def import_error(python: str | Path, module: str, cwd: Path) -> str:
    """What the import ends with; "" if it succeeds."""
    done = subprocess.run([str(python), "-c", f"import {module}"], cwd=cwd, capture_output=True, text=True, check=False)
    return done.stderr.strip().rpartition("\n")[2]


@pytest.mark.parametrize("name", [*OF_THE_CHECKOUT, "docs", "grammar", "specs"])
def test_the_checkout_is_no_part_of_the_package(name: str) -> None:
    assert (
        import_error(sys.executable, f"archdsl.{name}", ROOT)
        == f"ModuleNotFoundError: No module named 'archdsl.{name}'"
    )


def test_a_checkout_runs_without_an_installation(tmp_path: Path) -> None:
    source = copied_source(tmp_path)
    command = (sys.executable, "-m", "archdsl")
    assert "E301" in run(*command, "explain", "E301", cwd=source)
    printed = run(sys.executable, "-c", "import archdsl.cli.main as main; print(main.__file__)", cwd=source)
    assert Path(printed.strip()) == source.resolve() / "cli" / "main.py"


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment with the wheel alone."""
    python = new_environment(tmp_path_factory.mktemp("environment"))
    pip("--python", str(python), "install", "--no-deps", str(wheel))
    borrow_dependencies(python)  # not before: among them may stand an archdsl, which pip would take for this one
    return python.parent


@pytest.fixture(scope="module")
def installed_editable(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment that refers to a checkout."""
    source = copied_source(tmp_path_factory.mktemp("checkout"))
    python = new_environment(tmp_path_factory.mktemp("editable"))
    borrow_dependencies(python)
    pip("--python", str(python), "install", "--no-deps", "--no-build-isolation", "--editable", str(source))
    return python.parent


def new_environment(folder: Path) -> Path:
    """The Python of an environment without any package."""
    run(sys.executable, "-m", "venv", "--without-pip", str(folder))
    return folder / "bin" / "python"


def borrow_dependencies(python: Path) -> None:
    """What archdsl depends on is taken from the environment of these tests."""
    site = run(str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
    borrowed = [path for path in sys.path if path.endswith("site-packages")]
    (Path(site) / "borrowed.pth").write_text("\n".join(borrowed), encoding="utf-8")


@pytest.mark.slow
def test_installed_package_is_the_wheels(installed: Path, tmp_path: Path) -> None:
    printed = run(str(installed / "python"), "-P", "-c", "import archdsl; print(archdsl.__file__)", cwd=tmp_path)
    assert Path(printed.strip()).is_relative_to(installed.parent)


@pytest.mark.slow
@pytest.mark.parametrize(("arguments", "expected"), COMMANDS)
def test_installed_command(arguments: tuple[str, ...], expected: str, installed: Path, tmp_path: Path) -> None:
    assert expected in run(str(installed / "archdsl"), *arguments, cwd=tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(("arguments", "expected"), COMMANDS)
def test_command_of_a_checkout(
    arguments: tuple[str, ...], expected: str, installed_editable: Path, tmp_path: Path
) -> None:
    assert expected in run(str(installed_editable / "archdsl"), *arguments, cwd=tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("environment", ["installed", "installed_editable"])
def test_nothing_else_is_installed(environment: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    programs: Path = request.getfixturevalue(environment)
    for name in (*OF_THE_CHECKOUT, *MAPPED):
        assert import_error(programs / "python", name, tmp_path) == f"ModuleNotFoundError: No module named '{name}'"
    for name in OF_THE_CHECKOUT:
        found = import_error(programs / "python", f"archdsl.{name}", tmp_path)
        assert found == f"ModuleNotFoundError: No module named 'archdsl.{name}'"
