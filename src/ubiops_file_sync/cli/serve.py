"""`serve-bucket` and `demo`: the embedded bucket server, to try and to watch."""

from __future__ import annotations

from pathlib import Path

import click

from ubiops_file_sync.errors import UsageError


@click.command("serve-bucket", short_help="Serve an embedded bucket, to try and test.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8765,
    show_default=True,
    help="Port on the loopback address.",
)
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


@click.command(short_help="A story in under 20 seconds; leaves nothing behind.")
def demo() -> None:
    """A story in under 20 seconds: two places, edits, a conflict. Leaves nothing behind."""
    from ubiops_file_sync.demo import tell

    tell(click.echo)
