"""A longer campaign: atheris looks for inputs that reach code which no input reached before.

    PYTHONPATH=tests python -m fuzz [TARGET ...] --seconds 60

Each target in a process of its own, one after the other. What was found to be new is kept below
`.venv/fuzz/TARGET/corpus`, and the next campaign goes on from there; an input that fails is written
beside it, and `--replay FILE TARGET` runs it again. Needs the extra `fuzz`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

KEPT = Path(".venv/fuzz")
_FOLLOWED = ("ubiops_file_sync", "croniter", "email", "pathspec", "yaml")
"""Whose code it tries to reach all of."""
_SLOWEST_S = 30
_MOST_MIB = 2048
_LONGEST_BYTES = 16_384


def main() -> int:
    """Run the campaign; the number of targets that failed."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET")
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--replay", type=Path, help="run this one input, and nothing else")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.here:
        _fuzz(asked.targets[0], asked.seconds)
    from fuzz.targets import TARGETS

    if asked.replay is not None:
        TARGETS[asked.targets[0]].run(asked.replay.read_bytes())
        return 0
    unknown = set(asked.targets) - set(TARGETS)
    if unknown:
        parser.error(f"there is no {min(unknown)}; there are {', '.join(TARGETS)}")
    return sum(_campaign(name, asked.seconds) for name in asked.targets or TARGETS)


def _campaign(name: str, seconds: int) -> bool:
    """Whether a target failed. What it has to say of it stands in its log."""
    folder = KEPT / name
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "log"
    with log.open("wb") as output:
        ended = subprocess.run(
            [sys.executable, "-m", "fuzz", name, "--here", "--seconds", str(seconds)],
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    lines = log.read_text(errors="replace").splitlines()
    executed = next((line for line in lines if "number_of_executed_units" in line), "")
    covered = next((line for line in reversed(lines) if " cov: " in line), "")
    words = covered.partition(" cov: ")[2].split()
    told = f"{executed.rpartition(' ')[2] or '?':>8} inputs, {words[0] if words else '?':>6} edges"
    sys.stdout.write(f"{name:<16} {told}  {'FAILED: ' + str(log) if ended.returncode else 'ok'}\n")
    sys.stdout.flush()
    return ended.returncode != 0


def _fuzz(name: str, seconds: int) -> None:
    """Look for inputs until the time is over. Does not return."""
    import importlib
    import pkgutil

    import atheris

    import ubiops_file_sync

    with atheris.instrument_imports(include=list(_FOLLOWED)):
        from fuzz.targets import TARGETS

        # What is imported when it is used, too.
        for module in pkgutil.walk_packages(ubiops_file_sync.__path__, "ubiops_file_sync."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    chosen = TARGETS[name]
    corpus = KEPT / name / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(chosen.seeds()):
        (corpus / f"seed-{number}").write_bytes(seed)
    options = [
        f"-max_total_time={seconds}",
        f"-timeout={_SLOWEST_S}",
        f"-rss_limit_mb={_MOST_MIB}",
        f"-max_len={_LONGEST_BYTES}",
        f"-artifact_prefix={KEPT / name}/",
        "-print_final_stats=1",
    ]
    if chosen.words:
        words = KEPT / name / "words"
        words.write_text("".join(f'"{_escaped(word)}"\n' for word in chosen.words if word))
        options.append(f"-dict={words}")
    atheris.Setup([sys.argv[0], *options, str(corpus)], chosen.run)
    atheris.Fuzz()


def _escaped(word: str) -> str:
    """A word as libFuzzer's dictionaries have it, which take 64 bytes at most."""
    return "".join(f"\\x{byte:02x}" for byte in word.encode(errors="replace")[:64])


if __name__ == "__main__":
    sys.exit(main())
