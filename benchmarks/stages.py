"""The stages of a pass, each alone in a process of its own.

`python -m benchmarks.stages NAME SCENE COUNT` runs one of them and prints its CPU seconds.
"""

from __future__ import annotations

import itertools
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from benchmarks.scale import Scene, scene
from benchmarks.trees import STORED_US, entries
from benchmarks.works import Row
from ubiops_file_sync.bucket.listing import page_of
from ubiops_file_sync.cli import collect_less
from ubiops_file_sync.local.scan import Wanted, walk
from ubiops_file_sync.model import (
    PAGE_ITEMS,
    Action,
    BaselineEntry,
    LocalEntry,
    PlanSummary,
    Reason,
    RemoteEntry,
    Verb,
)
from ubiops_file_sync.plan import Policy, plan_actions
from ubiops_file_sync.store import BaselineStore, Identity, Spool

_SDK_PAGES = 20
"""The SDK is too slow for all of them; its figure is of these, a page."""
_ROUNDS = 3


def stages(folder: Path, quick: bool) -> list[Row]:
    """Local walk, decoding of pages, baseline, merge, spool: CPU of each."""
    count = 20_000 if quick else 1_000_000
    with scene(folder / "stages", count, twin=False) as here:
        here.pass_over()
        floor_s = statistics.median(here.floor().cpu_s for _ in range(_ROUNDS))
        took = {name: _alone(name, here, count) for name in _STAGES}
    pages = count // PAGE_ITEMS
    sdk_s = took.pop("the SDK's models") / _SDK_PAGES * pages
    compared_s = took["decode"] + took["merge"]
    rows = [
        Row(f"{count:,} files, local walk: CPU over floor's", f"{took['walk']:.2f} s",
            f"{floor_s:.2f} s", took["walk"] / floor_s, "<= 1.8"),
        Row(f"{pages:,} pages decoded and compared: CPU over the SDK's decoding",
            f"{compared_s:.2f} s", f"{sdk_s:.1f} s", compared_s / sdk_s, "<= 0.02"),
    ]  # fmt: skip
    return rows + [
        Row(f"{count:,} files, {name} alone: CPU; a file", f"{cpu_s:.2f} s",
            f"{cpu_s / count * 1e6:.2f} us")
        for name, cpu_s in took.items()
    ]  # fmt: skip


def _alone(name: str, here: Scene, count: int) -> float:
    command = [sys.executable, "-m", "benchmarks.stages", name, str(here.folder), str(count)]
    return statistics.median(
        float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        for _ in range(_ROUNDS)
    )


def _used(work: Callable[[], object]) -> float:
    before = time.process_time()
    work()
    return time.process_time() - before


def _drain(stream: Iterator[object]) -> None:
    for _ in stream:
        pass


def _walk(folder: Path, _count: int) -> float:
    fd = os.open(folder / "root", os.O_RDONLY)
    return _used(lambda: _drain(walk(fd, Wanted())))


def _raw_pages(count: int) -> Iterator[bytes]:
    when = "2025-06-15T15:06:40.123456+00:00"
    for block in _blocks(count):
        files = [{"file": key, "size": size, "time_created": when} for key, size in block]
        yield json.dumps({"files": files, "prefixes": [], "continuation_token": "x"}).encode()


def _blocks(count: int) -> Iterator[list[tuple[str, int]]]:
    stream = entries(count)
    while block := list(itertools.islice(stream, PAGE_ITEMS)):
        yield block


def _decode(_folder: Path, count: int) -> float:
    return sum(_used(partial(page_of, page, "")) for page in _raw_pages(count))


def _sdk(_folder: Path, count: int) -> float:
    from ubiops import ApiClient

    client = ApiClient()

    class Answer:
        def __init__(self, data: bytes) -> None:
            self.text = data.decode()

    return sum(
        _used(partial(client.deserialize, Answer(page), "FileDetail"))
        for page in itertools.islice(_raw_pages(max(count, _SDK_PAGES * PAGE_ITEMS)), _SDK_PAGES)
    )


def _read(folder: Path, _count: int) -> float:
    store = BaselineStore.look(folder / "state/p.sqlite")
    assert store is not None
    with store:
        return _used(lambda: _drain(store.row_blocks()))


def _merge(_folder: Path, count: int) -> float:
    """What is in step, a page at a time, since all of it at once is more than a cache holds."""
    cpu_s = 0.0
    for block in _blocks(count):
        here = [LocalEntry(key, size, STORED_US * 1000) for key, size in block]
        there = [RemoteEntry(key, size, STORED_US) for key, size in block]
        rows = [(key, size, STORED_US * 1000, STORED_US) for key, size in block]
        summary = PlanSummary()
        planned = plan_actions([here], [there], [rows], Policy(), STORED_US, summary)  # type: ignore[list-item]
        cpu_s += _used(partial(_drain, planned))
        assert summary.in_step == len(block)
    return cpu_s


def _spool(_folder: Path, count: int) -> float:
    def work() -> None:
        with Spool() as spool:
            for key, size in entries(count):
                here = LocalEntry(key, size, STORED_US * 1000)
                spool.add(Action(Verb.UPLOAD, key, Reason.NEW_LOCAL, here, None))
            _drain(spool.actions())

    return _used(work)


def _record(folder: Path, count: int) -> float:
    path = folder / f"record-{os.getpid()}.sqlite"
    with BaselineStore.open(path, Identity("a", "b", "c", "d", "e")) as store:
        cpu_s = 0.0
        for block in _blocks(count):
            rows = [BaselineEntry(key, size, STORED_US * 1000, STORED_US) for key, size in block]
            cpu_s += _used(partial(store.record, in_step=rows))
    path.unlink()
    return cpu_s


_STAGES: dict[str, Callable[[Path, int], float]] = {
    "walk": _walk,
    "decode": _decode,
    "baseline read": _read,
    "merge": _merge,
    "spool": _spool,
    "record": _record,
    "the SDK's models": _sdk,
}


if __name__ == "__main__":
    collect_less()  # As the program has it.
    print(_STAGES[sys.argv[1]](Path(sys.argv[2]), int(sys.argv[3])))
