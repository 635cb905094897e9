"""Metrics as Prometheus gets them: over HTTP, from real passes, read by the official parser."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families

from engine.world import QUICK, World
from ubiops_file_sync import __version__
from ubiops_file_sync.emulator import BucketServer, Fault
from ubiops_file_sync.errors import ConfigError, RemoteUnreachable
from ubiops_file_sync.metrics import Listener, Metrics
from ubiops_file_sync.reconcile import Reconciler

NOW_S = 1_795_000_000.0
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def _read(text: str) -> Samples:
    return {
        (sample.name.removeprefix("ubiops_file_sync_"), frozenset(sample.labels.items())): (
            sample.value
        )
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


class Scrape:
    """What one look at the metrics tells."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.samples = _read(text)

    def __call__(self, name: str, profile: str = "p", **labels: str) -> float | None:
        return self.samples.get((name, frozenset({"profile": profile, **labels}.items())))

    @property
    def profiles(self) -> set[str]:
        return {dict(labels).get("profile", "") for _, labels in self.samples} - {""}


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(now_s=lambda: NOW_S)


@pytest.fixture
def listener(metrics: Metrics) -> Iterator[Listener]:
    listener = metrics.listen("127.0.0.1", 0)
    yield listener
    listener.close()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    root = tmp_path / "root"
    root.mkdir()
    with BucketServer(tmp_path / "server", rate_limit=200) as server:
        yield World(server, root, tmp_path / "state", {})


def scrape(listener: Listener) -> Scrape:
    with urlopen(f"http://127.0.0.1:{listener.port}/metrics", timeout=30) as answer:
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        return Scrape(answer.read().decode())


def test_passes_are_counted_with_all_that_they_did(
    world: World, metrics: Metrics, listener: Listener
) -> None:
    world.write("up", b"x" * 1000)
    world.put("down", b"y" * 300)
    world.server.faults.add(Fault("list", "status", times=1, code=503))
    metrics.observe(world.run())
    seen = scrape(listener)
    assert seen("passes_total", result="ok") == 1
    assert seen("passes_total", result="problems") == 0
    assert seen("outcomes_total", verb="upload") == seen("outcomes_total", verb="download") == 1
    assert seen("outcomes_total", verb="delete-local") == 0
    assert (seen("uploaded_bytes_total"), seen("downloaded_bytes_total")) == (1000, 300)
    assert seen("api_calls_total", endpoint="list", status="503") == 1
    assert seen("api_calls_total", endpoint="list", status="200") == 1
    assert seen("api_calls_total", endpoint="upload", status="200") == 1
    assert seen("files_in_step") == 2
    assert seen("problems") == 0
    assert seen("last_pass_timestamp_seconds") == NOW_S
    assert seen("last_success_timestamp_seconds") == NOW_S
    assert seen("pass_duration_seconds_count") == 1
    assert 0 < (seen("pass_duration_seconds_sum") or 0) < 60
    assert seen("quota_limit_calls") == 200
    assert seen("quota_left_calls") == 200 - 5, "five calls: two listings, two signed URLs, a get"


def test_counters_go_on_and_gauges_tell_of_the_last_pass(
    world: World, metrics: Metrics, listener: Listener
) -> None:
    world.write("a", b"1")
    metrics.observe(world.run())
    world.write("b", b"22")
    fault = world.server.faults.add(Fault("put", "status", times=None, code=400))
    metrics.observe(world.run())
    seen = scrape(listener)
    assert (seen("passes_total", result="ok"), seen("passes_total", result="problems")) == (1, 1)
    assert (seen("problems"), seen("files_in_step")) == (1, 1)
    del fault
    world.server.faults.clear()
    metrics.observe(world.run())
    seen = scrape(listener)
    assert seen("passes_total", result="ok") == 2
    assert seen("uploaded_bytes_total") == 3
    assert (seen("problems"), seen("files_in_step")) == (0, 2)


def test_a_pass_that_raised_is_counted_by_what_its_exit_code_says(
    world: World, metrics: Metrics, listener: Listener
) -> None:
    world.server.faults.add(Fault("list", "status", times=None, code=503))
    with pytest.raises(RemoteUnreachable) as caught:
        Reconciler(world.profile, world.state_dir, retries=QUICK).run()
    metrics.failed("p", caught.value.exit_code)
    for exit_code in (4, 78, 1):
        metrics.failed("p", exit_code)
    seen = scrape(listener)
    for result in ("unreachable", "halted", "configuration", "failed"):
        assert seen("passes_total", result=result) == 1
    assert seen("last_pass_timestamp_seconds") == NOW_S
    assert seen("last_success_timestamp_seconds") is None


def test_a_pass_that_somebody_else_had_under_way_is_none_of_ours(
    metrics: Metrics, listener: Listener
) -> None:
    metrics.failed("p", 5)
    seen = scrape(listener)
    assert seen("passes_total", result="busy") == 1
    assert seen("last_pass_timestamp_seconds") is None


def test_a_dry_run_counts_for_nothing(world: World, metrics: Metrics, listener: Listener) -> None:
    world.write("a", b"1")
    with world.reconciler.plan() as (_, report):
        metrics.observe(report)
    assert scrape(listener).profiles == set()


def test_what_an_alert_needs_outlives_a_restart(metrics: Metrics, listener: Listener) -> None:
    metrics.remember("p", NOW_S - 60, NOW_S - 600)
    metrics.remember("new", None, None)
    seen = scrape(listener)
    assert seen("last_pass_timestamp_seconds") == NOW_S - 60
    assert seen("last_success_timestamp_seconds") == NOW_S - 600
    assert seen("last_success_timestamp_seconds", "new") is None
    assert seen("passes_total", "new", result="ok") == 0, "so that the first one is an increase"


def test_the_next_pass_is_told_until_there_is_none(metrics: Metrics, listener: Listener) -> None:
    metrics.due("p", NOW_S + 300)
    assert scrape(listener)("next_due_timestamp_seconds") == NOW_S + 300
    metrics.due("p", None)
    metrics.due("never-told", None)
    assert scrape(listener)("next_due_timestamp_seconds") is None


def test_a_profile_that_is_gone_leaves_nothing_behind(
    world: World, metrics: Metrics, listener: Listener
) -> None:
    metrics.observe(world.run())
    for profile in ("p", "q"):
        metrics.failed(profile, 3)
        metrics.due(profile, NOW_S)
    metrics.keep_only({"q", "new"})
    assert scrape(listener).profiles == {"q"}
    metrics.failed("p", 3)
    assert scrape(listener)("passes_total", result="unreachable") == 1


def test_no_key_no_address_and_no_secret_is_in_any_of_it(
    world: World, metrics: Metrics, listener: Listener
) -> None:
    world.write("a-secret-name", b"1")
    world.put("a/../bad-name", b"1")
    report = world.run()
    assert report.problem_count == 1
    metrics.observe(report)
    text = scrape(listener).text
    for word in ("a-secret-name", "bad-name", world.server.token, "127.0.0.1", str(world.root)):
        assert word not in text


def test_the_process_and_the_version_are_told(metrics: Metrics, listener: Listener) -> None:
    seen = scrape(listener)
    assert seen.samples["build_info", frozenset({("version", __version__)})] == 1
    names = {name for name, _ in seen.samples}
    assert {"process_resident_memory_bytes", "process_open_fds", "python_info"} <= names
    assert not [name for name in names if name.endswith("_created")]


def test_every_series_of_ours_says_what_it_is(
    world: World, metrics: Metrics, listener: Listener
) -> None:
    metrics.observe(world.run())
    for family in text_string_to_metric_families(scrape(listener).text):
        assert family.documentation
        if family.type == "counter":
            assert all(sample.name.endswith("_total") for sample in family.samples)


def test_an_address_is_let_go_of_and_taken_again_at_once(metrics: Metrics) -> None:
    first = metrics.listen("127.0.0.1", 0)
    scrape(first)
    first.close()
    with pytest.raises(OSError, match="refused"):
        scrape(first)
    second = metrics.listen("127.0.0.1", first.port)
    assert second.port == first.port
    scrape(second)
    second.close()
    assert "metrics" not in {thread.name for thread in threading.enumerate()}


def test_a_client_that_says_nothing_holds_up_neither_others_nor_the_end(metrics: Metrics) -> None:
    listener = metrics.listen("127.0.0.1", 0)
    with socket.create_connection(("127.0.0.1", listener.port)):
        scrape(listener)
        began = time.monotonic()
        listener.close()
        assert time.monotonic() - began < 5


def test_it_sleeps_while_nobody_asks(metrics: Metrics, listener: Listener) -> None:
    """No thread wakes by itself: the process is to let a laptop sleep."""
    scrape(listener)
    (thread,) = [t for t in threading.enumerate() if t.name == "metrics"]
    switches = Path(f"/proc/self/task/{thread.native_id}/status")
    while "S (sleeping)" not in switches.read_text():
        pass
    before = switches.read_text().partition("voluntary_ctxt")[2]
    time.sleep(1.2)  # Not for luck: what wakes once or twice a second is caught in this time.
    assert switches.read_text().partition("voluntary_ctxt")[2] == before


def test_it_answers_to_get_alone(listener: Listener) -> None:
    request = Request(f"http://127.0.0.1:{listener.port}/metrics", data=b"x", method="POST")
    with pytest.raises(HTTPError, match="405"):
        urlopen(request, timeout=30)


@pytest.mark.skipif(not socket.has_ipv6, reason="there is no IPv6")
def test_it_listens_on_ipv6_too(metrics: Metrics) -> None:
    try:
        listener = metrics.listen("::1", 0)
    except ConfigError:
        pytest.skip("there is no IPv6 loopback here")
    with urlopen(f"http://[::1]:{listener.port}/metrics", timeout=30) as answer:
        assert b"build_info" in answer.read()
    listener.close()


def test_an_address_that_cannot_be_had_is_said_with_the_remedy(
    metrics: Metrics, listener: Listener
) -> None:
    taken = f"`metrics.listen` 127.0.0.1:{listener.port} cannot be had .address already in use"
    with pytest.raises(ConfigError, match=taken):
        metrics.listen("127.0.0.1", listener.port)
    for host, port in (("no-such-host.invalid", 1), ("192.0.2.1", 9467), ("127.0.0.1", 70_000)):
        with pytest.raises(ConfigError, match="choose another address"):
            metrics.listen(host, port)
    scrape(listener)


def test_a_textfile_is_whole_and_can_be_read_by_others(
    world: World, metrics: Metrics, tmp_path: Path
) -> None:
    path = tmp_path / "textfile" / "sync.prom"
    path.parent.mkdir()
    metrics.observe(world.run())
    before = os.umask(0o077)
    try:
        metrics.write(path)
        metrics.write(path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert [left.name for left in path.parent.iterdir()] == ["sync.prom"]
    seen = Scrape(path.read_text())
    assert seen("passes_total", result="ok") == 1
    assert not [name for name, _ in seen.samples if name.startswith(("process_", "python_"))]


def test_a_textfile_that_cannot_be_written_leaves_the_old_one(
    metrics: Metrics, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=r"`metrics\.textfile` .*make its folder"):
        metrics.write(tmp_path / "missing" / "sync.prom")
    (tmp_path / "sync.prom").mkdir()
    with pytest.raises(ConfigError, match="is a directory"):
        metrics.write(tmp_path / "sync.prom")
    assert [path.name for path in tmp_path.iterdir()] == ["sync.prom"]


def test_whoever_wants_none_does_not_wait_for_the_library() -> None:
    script = "import sys, ubiops_file_sync.metrics; print('prometheus_client' in sys.modules)"
    source = str(Path(sys.modules["ubiops_file_sync"].__file__ or "").parents[1])
    ended = subprocess.run(
        [sys.executable, "-c", script],
        env={"PYTHONPATH": source},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert ended.stdout == "False\n"
