"""What UbiOps refuses, and what becomes of a service that does not answer."""

from __future__ import annotations

from messages.stage import UNKNOWN_TOKEN, Stage, scene
from ubiops_file_sync.emulator import Behaviour, Fault, Role

UBIOPS = "UbiOps"
SORRY = '{"error": "The service is temporarily unavailable"}'


def other_token(stage: Stage, role: Role) -> None:
    """Use a token of this role."""
    stage.server.tokens["token-of-another-role"] = role
    stage.env["UBIOPS_API_TOKEN"] = "token-of-another-role"


@scene(UBIOPS)
def unknown_token(stage: Stage) -> None:
    """The token is not known."""
    stage.profile()
    stage.env["UBIOPS_API_TOKEN"] = UNKNOWN_TOKEN
    stage.run("reconcile")
    stage.run("doctor", "-q")


@scene(UBIOPS)
def may_not_list(stage: Stage) -> None:
    """The token's role is restricted: it may not list."""
    other_token(stage, Role.RESTRICTED_READER)
    stage.profile()
    stage.run("reconcile")
    stage.run("doctor", "-q")


@scene(UBIOPS)
def may_not_write(stage: Stage) -> None:
    """The token's role may only read."""
    other_token(stage, Role.READER)
    stage.profile()
    (stage.files / "a").write_bytes(b"1")
    stage.run("reconcile")
    stage.run("doctor", "-q")


@scene(UBIOPS)
def may_not_delete(stage: Stage) -> None:
    """The token's role may not delete."""
    stage.in_step("a", "b", deletions="to_bucket")
    (stage.files / "a").unlink()
    other_token(stage, Role.READER)
    stage.run("reconcile")
    stage.run("doctor", "-q")


@scene(UBIOPS)
def may_not_see_the_bucket(stage: Stage) -> None:
    """The token's role may not see the bucket's details."""
    stage.profile(deletions="both")
    stage.server.faults.add(Fault("bucket_get", "status", times=None, code=403))
    stage.run("reconcile")
    stage.run("doctor", "-q")


@scene(UBIOPS)
def no_bucket(stage: Stage) -> None:
    """There is no such bucket, or no such project."""
    stage.profile(bucket="defualt")
    stage.run("reconcile")
    stage.run("doctor", "-q")
    stage.profile(project="dmeo")
    stage.run("reconcile")


@scene(UBIOPS)
def no_such_host(stage: Stage) -> None:
    """The host's name is not known."""
    stage.profile(api_host="http://no-such-host.invalid/v2.1")
    stage.run("reconcile", "-q")
    stage.run("doctor", "-q")


@scene(UBIOPS)
def no_connection(stage: Stage) -> None:
    """Nobody answers at that address.

    Five tries, with a warning of each, since all of the pass waits for them.
    """
    stage.profile(api_host="http://127.0.0.1:1/v2.1")
    stage.run("reconcile")


@scene(UBIOPS)
def no_tls(stage: Stage) -> None:
    """The secure connection fails."""
    host = stage.server.api_host.replace("http:", "https:")
    stage.profile(api_host=host)
    stage.run("reconcile", "-q")


@scene(UBIOPS)
def no_proxy(stage: Stage) -> None:
    """The proxy does not let it through."""
    stage.profile(api_host="http://api.example.com/v2.1")
    stage.env["http_proxy"] = "http://127.0.0.1:1"
    stage.run("reconcile", "-q")


@scene(UBIOPS)
def another_service(stage: Stage) -> None:
    """That address is not that of the API."""
    stage.profile(api_host=f"{stage.server.origin}/elsewhere/v2.1")
    stage.run("reconcile", "-q")


@scene(UBIOPS)
def errors_of_the_service(stage: Stage) -> None:
    """UbiOps answers, and only with errors."""
    stage.profile()
    stage.server.faults.add(Fault("list", "status", times=None, code=503, body=SORRY))
    stage.run("reconcile", "-q")


@scene(UBIOPS)
def no_more_calls(stage: Stage) -> None:
    """UbiOps allows no more calls."""
    stage.profile()
    stage.server.faults.add(
        Fault("list", "status", times=None, code=429, headers={"x-ratelimit-reset": "0"})
    )
    stage.run("reconcile", "-q")


@scene(UBIOPS)
def nonsense(stage: Stage) -> None:
    """The answer is not what the API sends: something stands in between."""
    stage.profile()
    portal = "<html><body>Welcome! Please sign in to the Wi-Fi.</body></html>"
    stage.server.faults.add(Fault("list", "status", times=None, code=200, body=portal))
    stage.run("reconcile", "-q")


@scene(UBIOPS)
def gone_in_between(stage: Stage) -> None:
    """The service goes away while files travel."""
    stage.profile()
    for n in range(60):
        (stage.files / f"f{n:02}").write_bytes(b"1")
    stage.server.faults.add(
        Fault("sign_upload", "status", times=None, after=20, code=503, body=SORRY)
    )
    stage.run("reconcile", "-q")


@scene(UBIOPS)
def clocks(stage: Stage) -> None:
    """The clocks are too far apart.

    The pass is made all the same; conflicts keep both versions.
    """
    stage.server.clock.offset_s = -3600
    stage.profile()
    stage.run("reconcile")
    stage.run("doctor", "-q")


@scene(UBIOPS)
def hardly_any_quota(stage: Stage) -> None:
    """Others have used up the API's calls."""
    stage.profile()
    stage.server.quota.limit = 60
    for _ in range(50):
        stage.server.quota.take("127.0.0.1")
    stage.run("doctor", "-q")


@scene(UBIOPS)
def pages_out_of_order(stage: Stage) -> None:
    """The listing comes in no order.

    No trouble at all: it is sorted here, at the cost of a second listing, once.
    """
    stage.server.behaviour = Behaviour(unsorted=True)
    stage.profile()
    for name in ("a", "b", "c"):
        stage.server.put_object(f"data/{name}", b"1")
    stage.run("reconcile")
