"""The command line: what is asked for, and how the answer looks. Nothing is decided here.

A module a group of commands; this one joins them and turns exceptions into exit codes.
"""

from __future__ import annotations

import atexit
import gc
import io
import os
import sys
from collections.abc import Callable
from typing import Any

import click

from ubiops_file_sync import __version__
from ubiops_file_sync.cli.completion import COMPLETE_VARIABLE, completion, offer_profiles
from ubiops_file_sync.cli.config import check_config, config, schema
from ubiops_file_sync.cli.doctor import doctor
from ubiops_file_sync.cli.explain import explain
from ubiops_file_sync.cli.history import history
from ubiops_file_sync.cli.init import init
from ubiops_file_sync.cli.install import install_service
from ubiops_file_sync.cli.options import Program
from ubiops_file_sync.cli.output import bug_words, complain, loudness, say_json, silence
from ubiops_file_sync.cli.passes import apply, plan, reconcile
from ubiops_file_sync.cli.restore import restore
from ubiops_file_sync.cli.serve import demo, serve_bucket
from ubiops_file_sync.cli.service import pause, reload, resume, run, trigger
from ubiops_file_sync.cli.status import status
from ubiops_file_sync.cli.support import support_bundle
from ubiops_file_sync.cli.trash import trash
from ubiops_file_sync.cli.undo import undo
from ubiops_file_sync.cli.verify import verify
from ubiops_file_sync.errors import EXIT_INTERRUPTED, SyncError, UsageError

_EPILOG = """\b
Examples:
  ubiops-file-sync demo                      a story on an embedded bucket server
  ubiops-file-sync init                      a first configuration, question by question
  ubiops-file-sync doctor                    what may keep profiles from their work
  ubiops-file-sync plan                      what a pass would do, and why
  ubiops-file-sync explain model.bin         why a pass does so with one file
  ubiops-file-sync reconcile                 one pass over every profile
  ubiops-file-sync reconcile models --json   one pass over one, for a program to read
  ubiops-file-sync status                    how each profile is doing
  ubiops-file-sync history                   the passes of late, and what came of them
  ubiops-file-sync run                       every profile on its schedule, until it is stopped
  ubiops-file-sync trash list                what passes replaced or deleted
  ubiops-file-sync restore reports/a.csv     put the newest version of a file back

\b
Exit codes: 0 in step, 1 some files failed (tried again next pass), 2 usage, 3 UbiOps
unreachable or token refused, 4 safety halt, 5 profile busy, 78 configuration, 130 interrupted.

\b
Answers go to stdout, and everything else to stderr. Colours and bars are for terminals;
NO_COLOR turns colours off. --json: one document, described in docs/json.md.
"""


@click.group(cls=Program, epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", prog_name="ubiops-file-sync")
def cli() -> None:
    """Keeps local directories and UbiOps buckets in step.

    The options of this page may stand behind a command's name as well.
    """


_ALLOCATIONS_A_LOOK = 20_000

_SECTIONS: dict[str, tuple[click.Command, ...]] = {
    "Passes": (reconcile, plan, apply),
    "How things stand": (status, history, explain, verify),
    "Taking back": (trash, restore, undo),
    "The service": (run, trigger, pause, resume, reload, install_service),
    "Setting up": (init, check_config, config, schema, doctor, support_bundle, completion),
    "To try it": (demo, serve_bucket),
}
for _title, _commands in _SECTIONS.items():
    cli.add_section(_title, _commands)


def main() -> None:
    """Run the command line; the process ends with one of the documented exit codes."""
    for stream in (sys.stdout, sys.stderr):
        # A name that the terminal's encoding lacks is no reason to end a pass.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    collect_less()
    if COMPLETE_VARIABLE in os.environ:
        offer_profiles(cli)
    sys.exit(_code_of(lambda: cli.main(prog_name="ubiops-file-sync", standalone_mode=False)))


def collect_less() -> None:
    """Look for cycles of dead objects less often.

    A pass over a million files makes millions of entries and no cycles; Python would look through
    the young ones every 700 of them, which takes a tenth of the pass. As the process ends it would
    look through all that was ever imported, which takes a tenth of its start.
    """
    gc.freeze()
    gc.set_threshold(_ALLOCATIONS_A_LOOK)
    atexit.register(gc.freeze)


def _code_of(command: Callable[[], Any]) -> int:
    """Run a command. No traceback reaches a user, unless UBIOPS_FILE_SYNC_DEBUG asks for it."""
    try:
        command()
    except SyncError as error:
        return _failed(str(error), error.exit_code)
    except click.ClickException as error:
        error.show()
        return UsageError.exit_code
    except OSError as error:
        # Everything else that touches files has its own words; this is the output.
        silence(error)
        return 1
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted; what was done until now is recorded", err=True)
        return EXIT_INTERRUPTED
    except Exception as error:  # noqa: BLE001  a bug, and said to be one
        return _failed(bug_words(error), 1)
    return 0


def _failed(message: str, exit_code: int) -> int:
    """Say why nothing was done: in a document too, if one was asked for."""
    complain(message)
    if loudness.as_json:
        from ubiops_file_sync.report import JSON_VERSION

        say_json({"version": JSON_VERSION, "exit_code": exit_code, "error": message})
    return exit_code
