"""What a token sees of a UbiOps installation: its projects, and their buckets."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from ubiops_file_sync.bucket.exchange import Answer
from ubiops_file_sync.bucket.http import HttpClient
from ubiops_file_sync.bucket.problems import Place, what_happened
from ubiops_file_sync.bucket.quota import Unpaced
from ubiops_file_sync.bucket.rest import PooledRest
from ubiops_file_sync.bucket.retry import Damaged, Refused, RetryPolicy, attempt
from ubiops_file_sync.bucket.sdk import core_api
from ubiops_file_sync.bucket.trouble import NoAnswer
from ubiops_file_sync.errors import AccessRefused, RemoteError, RemoteUnreachable
from ubiops_file_sync.json_text import parsed

QUICK = RetryPolicy(tries=2, total_s=30)
"""For somebody who sits there and waits."""

_UNKNOWN_TOKEN = 401
_FORBIDDEN = 403
_NOT_FOUND = 404


@dataclass(frozen=True, slots=True)
class SeenBucket:
    """A bucket of a list."""

    name: str
    provider: str
    ttl_s: int | None
    """Seconds after which its files vanish; None: they stay."""


class Account:
    """A token at an installation. For one thread. One API call a method."""

    def __init__(self, api_host: str, token: str, retries: RetryPolicy = QUICK) -> None:
        """Nothing is asked yet."""
        self._api_host = api_host
        self._retries = retries
        self._http = HttpClient()
        rest = PooledRest(self._http, Unpaced())
        self._api: Any = core_api(api_host, token, rest)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def projects(self) -> list[str] | None:
        """The names of the projects; None: this token is not told them.

        Raises `AccessRefused` if nobody has this token, and `RemoteError` if no UbiOps answers.
        """
        found = self._listed({_FORBIDDEN}, self._api.projects_list)
        return None if found is None else sorted(name for one in found if (name := _name(one)))

    def buckets(self, project: str) -> list[SeenBucket] | None:
        """The buckets of a project; None: it is not there, or this token is not told them.

        Raises as `projects`.
        """
        untold = {_FORBIDDEN, _NOT_FOUND}
        found = self._listed(untold, self._api.buckets_list, project_name=project)
        if found is None:
            return None
        seen = [
            SeenBucket(name, str(one.get("provider", "")), one.get("ttl") or None)
            for one in found
            if (name := _name(one))
        ]
        return sorted(seen, key=lambda bucket: bucket.name)

    def _listed(
        self, untold: Collection[int], method: Callable[..., Any], **names: str
    ) -> list[dict[str, Any]] | None:
        def once() -> Answer:
            answer: Answer = method(**names, _preload_content=False)
            return answer

        try:
            answer = attempt(self._retries, once, self._http.stopping)
        except Refused as refused:
            if refused.status == _UNKNOWN_TOKEN:
                raise AccessRefused(
                    f"UbiOps at {self._api_host} does not know this token. Check that it is "
                    "complete, not expired, and of this UbiOps installation"
                ) from None
            if refused.status in untold:
                return None
            if refused.status == _NOT_FOUND:
                raise self._no_ubiops() from None
            raise self._unreachable(refused) from None
        except (NoAnswer, Damaged) as error:
            raise self._unreachable(error) from None
        return self._items(answer)

    def _unreachable(self, error: Exception) -> RemoteUnreachable:
        return RemoteUnreachable(
            what_happened(error, Place("", self._api_host, "", "", "", token_source=""))
        )

    def _items(self, answer: Answer) -> list[dict[str, Any]]:
        try:
            body = parsed(answer.data)
        except ValueError:
            body = None
        if not isinstance(body, list):
            raise self._no_ubiops()
        return [one for one in body if isinstance(one, dict)]

    def _no_ubiops(self) -> RemoteError:
        return RemoteError(f"what answers at {self._api_host} is no UbiOps API; check the address")


def _name(one: dict[str, Any]) -> str | None:
    name = one.get("name")
    return name if isinstance(name, str) and name else None
