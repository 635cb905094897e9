"""Is the suite worth its time? Each planted bug must be noticed by the tests that are to see it.

A mutant that survives wants a test, not a weaker mutant. One whose old text is gone wants to be
planted anew where the code went.
"""

from __future__ import annotations

import compileall
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest

import ubiops_file_sync
from mutants.planted import MUTANTS, Mutant

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGE = Path(ubiops_file_sync.__file__).parent

TESTS_PASSED, TESTS_FAILED = 0, 1
"""Exit codes of pytest; the others (no such test, no collection) prove nothing."""
TIMEOUT_S = 120


@dataclass(frozen=True)
class Ran:
    """How a selection of tests ended."""

    exit_code: int
    said: str


def run_tests(package_home: Path, selection: Iterable[str]) -> Ran:
    """Run tests of this repository against the package below `package_home`, in a new process."""
    environment = {name: text for name, text in os.environ.items() if name != "PYTEST_ADDOPTS"}
    environment["PYTHONPATH"] = os.pathsep.join([str(package_home), str(REPOSITORY / "tests")])
    environment["PYTHONSAFEPATH"] = "1"
    options = ["-x", "-q", "-n", "0", "-p", "no:cacheprovider", f"--rootdir={REPOSITORY}"]
    options.append(f"--basetemp={package_home / 'tmp'}")
    # The copy must be what is imported: a run that imports anything else ends with code 3.
    run = (
        "import pathlib, sys, pytest, ubiops_file_sync\n"
        f"if {str(package_home)!r} not in ubiops_file_sync.__file__: sys.exit(3)\n"
        "sys.exit(pytest.main(sys.argv[1:]))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", run, *options, *selection],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    return Ran(ended.returncode, (ended.stdout + ended.stderr)[-3000:])


def plant(mutant: Mutant, package: Path) -> None:
    """Put the bug into a copy of the package."""
    path = package / mutant.file
    path.write_text(path.read_text().replace(mutant.old, mutant.new))
    for compiled in (path.parent / "__pycache__").glob(f"{path.stem}.*.pyc"):
        compiled.unlink()


@pytest.fixture(scope="module")
def pristine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a copy of the package, compiled once so that every mutant starts quickly."""
    if not request.config.getoption("--mutants"):
        pytest.skip("bugs are planted if --mutants asks for it")
    home = tmp_path_factory.mktemp("pristine")
    copy = shutil.copytree(
        PACKAGE, home / PACKAGE.name, ignore=shutil.ignore_patterns("__pycache__")
    )
    compileall.compile_dir(copy, quiet=1)
    return home


def test_every_mutant_has_a_name_of_its_own() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_the_bug_can_be_planted(mutant: Mutant) -> None:
    """Asked at every run, for whoever moves the code is the one who can plant the bug anew."""
    count = (PACKAGE / mutant.file).read_text().count(mutant.old)
    assert count == 1, f"stale: its old text stands {count} times in {mutant.file}"


def test_without_a_bug_the_same_tests_pass(pristine: Path) -> None:
    """Else a mutant could be caught by a test that fails anyway."""
    selection = sorted({node for mutant in MUTANTS for node in mutant.caught_by})
    ran = run_tests(pristine, selection)
    assert ran.exit_code == TESTS_PASSED, ran.said


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_the_bug_is_caught(mutant: Mutant, pristine: Path, tmp_path: Path) -> None:
    shutil.copytree(pristine / PACKAGE.name, tmp_path / PACKAGE.name)
    plant(mutant, tmp_path / PACKAGE.name)
    ran = run_tests(tmp_path, mutant.caught_by)
    assert ran.exit_code == TESTS_FAILED, f"survived. {mutant.lesson}\n{ran.said}"
