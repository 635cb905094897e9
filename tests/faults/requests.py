"""Every request of a pass, every fault that may befall it, and what comes of that: the table.

The tests do what stands here, and `docs/reliability.py` makes a page of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from faults.stage import Stage
from ubiops_file_sync.emulator import Fault, Provider

BIG = 5 * (1 << 20) + 1000
"""Bytes of a file that travels in two parts."""
PORTAL = "<html><body>Welcome! Please sign in to the Wi-Fi.</body></html>"


@dataclass(frozen=True, slots=True)
class Request:
    """One request, on the occasion of which the fault is done."""

    name: str
    title: str
    """As the page has it."""
    operation: str
    """The embedded server's name of it."""
    scene: Callable[[Stage], None]
    """Brings about a pass that makes it."""
    after: int = 0
    """How many of its kind come before."""

    @property
    def is_storage(self) -> bool:
        """Whether it goes to the storage provider, and not to the API."""
        return self.operation in {"put", "put_part", "get_blob"}

    @property
    def key(self) -> str | None:
        """Of the one file that the fault concerns; None: it concerns none."""
        return None if self.operation in {"list", "bucket_get"} else "target"


@dataclass(frozen=True, slots=True)
class Trouble:
    """A fault, as it is done to any request."""

    name: str
    title: str
    kind: str = "status"
    code: int = 0
    says: str = ""
    """A pattern of what a user reads of it, if it does not pass."""
    body: str | None = None

    def fault(self, request: Request, times: int | None) -> Fault:
        """The order for the embedded server."""
        return Fault(
            request.operation,
            self.kind,
            times=times,
            after=request.after,
            key=request.key,
            code=self.code,
            body=self._body(request),
            headers=self._headers(request),
            seconds=0.03 if self.kind == "latency" else 30,
            length=3,
        )

    def _body(self, request: Request) -> str | None:
        return "" if self._is_wrong_tag(request) else self.body

    def _headers(self, request: Request) -> dict[str, str]:
        if self._is_wrong_tag(request):
            return {"etag": f'"{"0" * 32}"'}
        if self.body is not None:
            return {"content-type": "text/html"}
        return {"x-ratelimit-reset": "0"} if self.code == 429 else {}

    def _is_wrong_tag(self, request: Request) -> bool:
        return self.name == "wrong tag" and request.is_storage


TROUBLES = {
    one.name: one
    for one in (
        Trouble("timeout before", "no answer in time; it had no effect", "hang", says="no answer"),
        Trouble("timeout after", "no answer in time, but it had its effect", "hang_after",
                says="no answer"),
        Trouble("reset before", "connection reset; it had no effect", "reset_before",
                says="broke off"),
        Trouble("reset after", "connection reset, but it had its effect", "reset_after",
                says="broke off"),
        Trouble("500", "500", code=500, says="answered 500"),
        Trouble("503", "503", code=503, says="answered 503"),
        Trouble("429", "429", code=429, says=r"allows no more calls|answered 429"),
        Trouble("401", "401", code=401, says=r"does not know the token|answered 401"),
        Trouble("403", "403", code=403, says=r"the token .* is valid, but|answered 403"),
        Trouble("404", "404", code=404, says=r"there is no bucket|it vanished from the bucket"
                r"|changed in the bucket|answered 404|the next pass begins it anew"),
        Trouble("truncated", "an answer that is cut short", "truncate", says="broke off"),
        Trouble("no length", "cut short, and no length was announced", "truncate_chunked",
                says=r"not what the UbiOps API sends|is damaged|bytes of a range did not come"),
        Trouble("wrong body", "other bytes than it should have", "wrong_body",
                says=r"not what the UbiOps API sends|is damaged|does not match"),
        Trouble("wrong tag", "an answer that tells of other bytes than were sent", code=200,
                says="stored other bytes"),
        Trouble("portal", "somebody else's page, with status 200", code=200, body=PORTAL,
                says=r"not what the UbiOps API sends|changed in the bucket|a web page came"
                "|knows no ranges"),
        Trouble("slow", "slow, but it comes", "latency"),
        Trouble("expired", "the signed URL has expired", says=r"answered 40[03]"),
    )
}  # fmt: skip


def _learning(stage: Stage) -> None:
    """Nothing but one new file to send, whose time is then asked for by a get."""
    stage.in_step()
    stage.edit("target", b"new here")


def _both_ways(stage: Stage) -> None:
    stage.in_step()
    stage.edit("target", b"new here")
    stage.edit("good", b"new here too")
    stage.store("down", b"new there")


def _over(stage: Stage) -> None:
    stage.in_step(target=b"as it was", good=b"so was this")
    stage.edit("target", b"changed here")
    stage.edit("good", b"changed here too")


def _down(stage: Stage) -> None:
    stage.in_step(target=b"as it was", good=b"so was this")
    stage.precious.add(b"as it was")
    stage.store("target", b"changed there")
    stage.store("good", b"changed there too")


def _deleted_here(stage: Stage) -> None:
    stage.set(deletions="both")
    stage.in_step(target=b"deleted here", good=b"deleted here as well")
    for key in ("target", "good"):
        (stage.world.root / key).unlink()
    stage.precious |= {b"deleted here", b"deleted here as well"}


def _deleted_there(stage: Stage) -> None:
    stage.set(deletions="both")
    stage.in_step(target=b"deleted there", good=b"deleted there as well")
    for key in ("target", "good"):
        stage.world.server.delete_object(f"data/{key}")
    stage.precious |= {b"deleted there", b"deleted there as well"}


def _big(content: bytes) -> bytes:
    return (content * (BIG // len(content) + 1))[:BIG]


def _big_up(stage: Stage) -> None:
    stage.set(multipart_threshold=5 << 20)
    stage.in_step()
    stage.edit("target", _big(b"big and new here "))
    stage.edit("good", b"new here too")


def _big_down(stage: Stage) -> None:
    stage.set(multipart_threshold=5 << 20)
    stage.in_step()
    stage.store("target", _big(b"big and new there "))
    stage.store("good", b"new there too")


REQUESTS = {
    one.name: one
    for one in (
        Request("list", "a page of the listing", "list", _both_ways),
        Request("list again", "a page, to learn when uploads were stored", "list", _both_ways, 1),
        Request("bucket", "the bucket's details", "bucket_get", _deleted_there),
        Request("get before", "a look before a file is deleted here", "get", _deleted_there),
        Request("get again", "a look before an object is deleted", "get", _deleted_here),
        Request("get after", "a look at what was uploaded", "get", _learning),
        Request("sign up", "a URL to upload to", "sign_upload", _both_ways),
        Request("sign down", "a URL to download from", "sign_download", _down),
        Request("delete", "a deletion", "delete", _deleted_here),
        Request("start", "the beginning of an upload in parts", "start_multipart", _big_up),
        Request("sign part", "a URL for a part", "sign_part", _big_up),
        Request("complete", "the completion of an upload in parts", "complete_multipart", _big_up),
        Request("put", "PUT of a new file", "put", _both_ways),
        Request("put over", "PUT over an older version", "put", _over),
        Request("put part", "PUT of a part", "put_part", _big_up),
        Request("get blob", "GET of an object", "get_blob", _down),
        Request("get range", "GET of a range", "get_blob", _big_down),
        Request("get trash", "GET of what is to be deleted", "get_blob", _deleted_here),
    )
}


@dataclass(frozen=True, slots=True)
class Grid:
    """Some requests, and what comes of each fault."""

    title: str
    requests: tuple[str, ...]
    rows: str
    """A line a fault: its name, and a mark a request; see `MARKS`."""

    def cells(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Each fault with its marks, in the order of the requests."""
        for line in self.rows.strip().splitlines():
            name, _, marks = line.strip().partition("|")
            yield name.strip(), tuple(marks.split())


MARKS = {
    "0": "no trouble: exit 0 however long it lasts",
    "0*": "tried again; if it lasts: exit 0, and a note says what is not known until the next pass",
    "1*": "tried again; if it lasts, that file fails: exit 1, all others are done",
    "1": "that file fails at once: exit 1, all others are done",
    "3*": "tried again; if it lasts, the pass ends: exit 3",
    "3": "the pass ends at once: exit 3, what was done until then is recorded",
    "0n": "not tried again: exit 0, and a note says what is not known until the next pass",
}
"""What a cell of a grid says. After each of them nothing is lost, and the next good pass heals.
`-`: it cannot be, for a reason of `REASONS`."""

GRIDS = (
    Grid(
        "Calls that concern the whole pass",
        ("list", "list again", "bucket"),
        """
        timeout before | 3*  0*  3*
        timeout after  | 3*  0*  3*
        reset before   | 3*  0*  3*
        reset after    | 3*  0*  3*
        500            | 3*  0*  3*
        503            | 3*  0*  3*
        429            | 3*  0*  3*
        401            | 3   0n  3
        403            | 3   0n  3
        404            | 3   0n  3
        truncated      | 3*  0*  3*
        no length      | 3*  0*  3*
        wrong body     | 3*  0*  3*
        wrong tag      | -   -   -
        portal         | 3*  0*  3*
        slow           | 0   0   0
        expired        | -   -   -
        """,
    ),
    Grid(
        "Calls that concern one file",
        ("get before", "get again", "get after", "sign up", "sign down", "delete"),
        """
        timeout before | 1*  1*  0*  1*  1*  1*
        timeout after  | 1*  1*  0*  1*  1*  1*
        reset before   | 1*  1*  0*  1*  1*  1*
        reset after    | 1*  1*  0*  1*  1*  1*
        500            | 1*  1*  0*  1*  1*  1*
        503            | 1*  1*  0*  1*  1*  1*
        429            | 1*  1*  0*  1*  1*  1*
        401            | 3   3   0n  3   3   3
        403            | 3   3   0n  3   3   3
        404            | 0   1   0   3   1   0
        truncated      | 1*  1*  0*  1*  1*  -
        no length      | 1*  1*  0*  1*  1*  -
        wrong body     | 1*  1*  0*  1*  1*  -
        wrong tag      | -   -   -   -   -   -
        portal         | 1*  1*  0*  1*  1*  1*
        slow           | 0   0   0   0   0   0
        expired        | -   -   -   -   -   -
        """,
    ),
    Grid(
        "Calls of an upload in parts",
        ("start", "sign part", "complete"),
        """
        timeout before | 1*  1*  1*
        timeout after  | 1*  1*  1*
        reset before   | 1*  1*  1*
        reset after    | 1*  1*  1*
        500            | 1*  1*  1*
        503            | 1*  1*  1*
        429            | 1*  1*  1*
        401            | 3   3   3
        403            | 3   3   3
        404            | 3   1   1
        truncated      | 1*  1*  1*
        no length      | 1*  1*  1*
        wrong body     | 1*  1*  1*
        wrong tag      | -   -   -
        portal         | 1*  1*  1*
        slow           | 0   0   0
        expired        | -   -   -
        """,
    ),
    Grid(
        "Requests to the storage provider, by a signed URL",
        ("put", "put over", "put part", "get blob", "get range", "get trash"),
        """
        timeout before | 1*  1*  1*  1*  1*  1*
        timeout after  | 1*  1*  1*  1*  1*  1*
        reset before   | 1*  1*  1*  1*  1*  1*
        reset after    | 1*  1*  1*  1*  1*  1*
        500            | 1*  1*  1*  1*  1*  1*
        503            | 1*  1*  1*  1*  1*  1*
        429            | 1*  1*  1*  1*  1*  1*
        401            | 1   1   1   1   1   1
        403            | 1*  1*  1*  1*  1*  1*
        404            | 1   1   1   1   1   1
        truncated      | -   -   -   1*  1*  1*
        no length      | -   -   -   1*  1*  1*
        wrong body     | -   -   -   1*  1*  1*
        wrong tag      | 1*  1*  1*  -   -   -
        portal         | 1*  1*  1*  1   1   1
        slow           | 0   0   0   0   0   0
        expired        | 1*  1*  1*  1*  1*  1*
        """,
    ),
)

_NO_BODY = "the answer has no body that could be cut or altered"
REASONS = {
    ("expired", "API"): "a call of the API has no signed URL",
    ("wrong tag", "API"): "only the storage provider tells of the bytes that it was sent",
    ("wrong tag", "get_blob"): "nothing was sent; what comes is in the row above",
    ("truncated", "delete"): _NO_BODY,
    ("no length", "delete"): _NO_BODY,
    ("wrong body", "delete"): _NO_BODY,
    ("truncated", "put"): _NO_BODY,
    ("no length", "put"): _NO_BODY,
    ("wrong body", "put"): _NO_BODY,
}
"""Why a fault cannot befall a request, by its name and `API`, or the operation."""


def reason(trouble: str, request: Request) -> str | None:
    """Why that cannot be; None: nobody has said."""
    operation = request.operation.replace("put_part", "put")
    of_all = None if request.is_storage else REASONS.get((trouble, "API"))
    return of_all or REASONS.get((trouble, operation))


@dataclass(frozen=True, slots=True)
class Case:
    """One fault of one request."""

    request: Request
    trouble: Trouble
    mark: str
    lasts: bool
    provider: str = Provider.AMAZON_S3

    @property
    def id(self) -> str:
        """As pytest shows it."""
        length = "lasts" if self.lasts else "once"
        name = f"{self.request.name}-{self.trouble.name}-{length}".replace(" ", "_")
        return name if self.provider == Provider.AMAZON_S3 else f"{name}-{self.provider}"

    @property
    def exit_code(self) -> int:
        """That of the pass."""
        return int(self.mark[0]) if self.lasts or "*" not in self.mark else 0


def cases() -> list[Case]:
    """All of them, those that cannot be left out."""
    found: list[Case] = []
    for grid in GRIDS:
        for name, marks in grid.cells():
            for request, mark in zip(grid.requests, marks, strict=True):
                if mark != "-":
                    found.extend(_cases(REQUESTS[request], TROUBLES[name], mark))
    return found


def _cases(request: Request, trouble: Trouble, mark: str) -> Iterator[Case]:
    providers = (
        (Provider.AMAZON_S3, Provider.GOOGLE, Provider.AZURE)
        if trouble.name == "expired"
        else (Provider.AMAZON_S3,)
    )
    for provider in providers:
        yield Case(request, trouble, mark, lasts=True, provider=provider)
        if "*" in mark or mark == "0":
            yield Case(request, trouble, mark, lasts=False, provider=provider)
