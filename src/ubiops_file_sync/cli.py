"""The command line: what is asked for, and how the answer looks. Nothing is decided here."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ubiops_file_sync import __version__
from ubiops_file_sync.errors import SyncError, UsageError

EXIT_INTERRUPTED = 130
EXIT_SOMETHING_TO_DO = 10

_EPILOG = """\b
Examples:
  ubiops-file-sync demo                      a story on an embedded bucket server
  ubiops-file-sync plan                      what a pass would do, and why
  ubiops-file-sync reconcile                 one pass over every profile
  ubiops-file-sync reconcile models --json   one pass over one, for a program to read

\b
Exit codes: 0 in step, 1 some files failed (tried again next pass), 2 usage, 3 UbiOps
unreachable or token refused, 4 safety halt, 5 profile busy, 78 configuration.
"""


@click.group(epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", prog_name="ubiops-file-sync")
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    help="The YAML file. Default: $UBIOPS_FILE_SYNC_CONFIG, ./ubiops-file-sync.yaml, the XDG "
    "config folder, /etc/ubiops-file-sync/config.yaml; else environment variables alone.",
)
@click.pass_context
def cli(context: click.Context, config: Path | None) -> None:
    """Keeps local directories and UbiOps buckets in step."""
    context.obj = config


@cli.command(
    epilog="""\b
Examples:
  ubiops-file-sync reconcile
  ubiops-file-sync reconcile models datasets
  ubiops-file-sync reconcile --dry-run
"""
)
@click.argument("profiles", nargs=-1)
@click.option("--dry-run", is_flag=True, help="Change nothing; show what would be done.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_obj
def reconcile(
    config: Path | None, profiles: tuple[str, ...], *, dry_run: bool, as_json: bool
) -> None:
    """Bring PROFILES (default: all) in step: one pass over each."""
    _each_profile(config, profiles, as_json=as_json, dry_run=dry_run)


@cli.command(
    epilog="""\b
Examples:
  ubiops-file-sync plan
  ubiops-file-sync plan models --detailed-exitcode
"""
)
@click.argument("profiles", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--detailed-exitcode", is_flag=True, help="Exit with 10 if there is something to do.")
@click.pass_obj
def plan(
    config: Path | None, profiles: tuple[str, ...], *, as_json: bool, detailed_exitcode: bool
) -> None:
    """Show what a pass over PROFILES (default: all) would do, and why. Changes nothing."""
    _each_profile(
        config, profiles, as_json=as_json, dry_run=True, detailed_exitcode=detailed_exitcode
    )


def _each_profile(
    config: Path | None,
    names: tuple[str, ...],
    *,
    as_json: bool,
    dry_run: bool,
    detailed_exitcode: bool = False,
) -> None:
    """Run or plan each profile; one that fails does not keep the others from their turn."""
    from ubiops_file_sync import report
    from ubiops_file_sync.config import load_settings

    settings = load_settings(config)
    for warning in settings.warnings:
        click.echo(f"warning: {warning}", err=True)
    documents: list[dict[str, Any]] = []
    codes: list[int] = []
    something_to_do = False
    for profile in settings.select(names):
        try:
            turn = _Turn(profile, settings.state_dir, as_json=as_json)
            document = turn.planned() if dry_run else turn.reconciled()
            something_to_do = something_to_do or bool(document["planned"])
        except SyncError as error:
            document = {
                "profile": profile.name,
                "error": str(error),
                "exit_code": error.exit_code,
            }
            if not as_json:
                click.echo(f"error: {error}", err=True)
        documents.append(document)
        codes.append(document["exit_code"])
    code = report.worst_exit_code(codes)
    if detailed_exitcode and code == 0 and something_to_do:
        code = EXIT_SOMETHING_TO_DO
    if as_json:
        document = {"version": report.JSON_VERSION, "exit_code": code, "profiles": documents}
        click.echo(json.dumps(document, indent=2))
    sys.exit(code)


class _Turn:
    """One profile's turn: run it, and say how it went unless JSON was asked for."""

    def __init__(self, profile: Any, state_dir: Path, *, as_json: bool) -> None:
        from ubiops_file_sync.reconcile import Reconciler
        from ubiops_file_sync.terminal import progress_for

        self._profile = profile
        self._as_json = as_json
        self._reconciler = Reconciler(
            profile, state_dir, env=os.environ, progress=progress_for(sys.stderr)
        )

    def reconciled(self) -> dict[str, Any]:
        from ubiops_file_sync import report

        done = self._reconciler.run()
        if not self._as_json:
            for line in report.report_lines(done):
                click.echo(line)
        return report.report_json(done)

    def planned(self) -> dict[str, Any]:
        from ubiops_file_sync import report

        profile = self._profile
        with self._reconciler.plan() as (found, told):
            document = report.report_json(told)
            if self._as_json:
                document["actions"] = [report.action_json(a) for a in found.spool.actions()]
                return document
            place = f"{profile.project}/{profile.bucket}/{profile.prefix}"
            click.echo(f"{profile.name}: {profile.local_dir} and {place}")
            for action in found.spool.actions():
                click.echo(report.action_line(action))
            for line in report.problem_lines(told):
                click.echo(line)
            for line in report.plan_lines(told.planned, told.problem_count):
                click.echo(line)
        return document


@cli.command("serve-bucket")
@click.option("--port", default=8765, show_default=True, help="Port on the loopback address.")
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("bucket-data"),
    show_default=True,
    help="Folder that holds the objects; it survives a restart.",
)
@click.option(
    "--provider",
    type=click.Choice(["ubiops", "amazon_s3", "google_cloud_storage", "azure_blob_storage"]),
    default="ubiops",
    show_default=True,
    help="The storage provider whose manners it takes on.",
)
@click.option("--token", default="demo-token", show_default=True, help="The token it accepts.")
@click.option("--project", default="demo", show_default=True, help="Name of its project.")
@click.option("--bucket", default="default", show_default=True, help="Name of its first bucket.")
def serve_bucket(
    port: int, data: Path, provider: str, token: str, project: str, bucket: str
) -> None:
    """Serve an embedded UbiOps-compatible bucket on loopback, to try and test against.

    It keeps to the files and buckets endpoints of the real service, with signed URLs, rate limits
    and the provider's headers. It is no place for data that matter.
    """
    from ubiops_file_sync.emulator import serve

    def ready(api_host: str) -> None:
        click.echo(f"Serving bucket {bucket!r} of project {project!r} at {api_host}")
        click.echo("Stop it with Ctrl-C. In another shell:")
        click.echo(f"  export UBIOPS_API_HOST={api_host} UBIOPS_API_TOKEN={token}")
        click.echo(f"  export BUCKET_PROJECT_NAME={project} BUCKET_NAME={bucket} BUCKET_DIR=")
        click.echo("  export LOCAL_SYNC_DIR=$PWD/my-files")
        click.echo("  ubiops-file-sync reconcile")

    try:
        serve(
            data,
            token=token,
            port=port,
            project=project,
            bucket=bucket,
            provider=provider,
            on_ready=ready,
        )
    except OSError as error:
        raise UsageError(
            f"cannot serve on port {port} with data in {data}: {error.strerror}; "
            "choose another --port or --data"
        ) from error


@cli.command()
def demo() -> None:
    """A story in under 20 seconds: two places, edits, a conflict. Leaves nothing behind."""
    from ubiops_file_sync.demo import tell

    tell(click.echo)


def main() -> None:
    """Run the command line; the process ends with one of the documented exit codes."""
    sys.exit(_code_of(lambda: cli.main(standalone_mode=False)))


def _code_of(command: Callable[[], Any]) -> int:
    """Run a command. No traceback reaches a user, unless UBIOPS_FILE_SYNC_DEBUG asks for it."""
    try:
        command()
    except SyncError as error:
        click.echo(f"error: {error}", err=True)
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return UsageError.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted; what was done until now is recorded", err=True)
        return EXIT_INTERRUPTED
    except Exception as error:  # the last resort: a bug, and said to be one
        if os.environ.get("UBIOPS_FILE_SYNC_DEBUG"):
            raise
        click.echo(
            f"error: a bug in ubiops-file-sync ({type(error).__name__}). What was done until now "
            "is recorded. Set UBIOPS_FILE_SYNC_DEBUG=1 to see where, and please report it",
            err=True,
        )
        return 1
    return 0
