"""Starting, stopping and reaching into the server."""

from __future__ import annotations

import signal
import ssl
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import urllib3

from emulator.client import Client
from emulator.conftest import MakeClient
from ubiops_file_sync.emulator import BucketServer, Role


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.com", ""])
def test_other_machines_are_never_served(tmp_path: Path, host: str) -> None:
    with pytest.raises(ValueError, match="loopback"):
        BucketServer(tmp_path / "x", host=host)
    assert not (tmp_path / "x").exists()


def test_localhost_will_do(make_client: MakeClient) -> None:
    client = make_client(host="localhost")
    assert client.server.api_host.startswith("http://localhost:")
    assert client.upload("a", b"1").status == 200


def test_the_folder_is_private(client: Client, tmp_path: Path) -> None:
    client.upload("a", b"1")
    folder = tmp_path / "server"
    assert folder.stat().st_mode & 0o777 == 0o700
    (blob,) = (path for path in (folder / "blobs").rglob("*") if path.is_file())
    assert blob.stat().st_mode & 0o777 == 0o600


def test_it_comes_back_with_its_data(client: Client, server: BucketServer) -> None:
    client.upload("a", b"1")
    shown, api_host = client.get("a"), server.api_host
    bucket = client.call("GET", client.bucket_path()).json()
    server.stop()
    server.stop()
    with pytest.raises(urllib3.exceptions.HTTPError):
        client.call("GET", "status")
    with pytest.raises(RuntimeError, match="stopped"):
        server.objects()
    server.start()
    server.start()
    assert server.api_host == api_host
    assert client.get("a") == shown
    assert client.download("a").data == b"1"
    assert client.call("GET", client.bucket_path()).json()["id"] == bucket["id"]


def test_what_a_killed_server_left_behind_is_cleared_away(tmp_path: Path) -> None:
    left = tmp_path / "server" / "blobs" / "incoming" / "half"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"half")
    with BucketServer(tmp_path / "server") as server:
        assert server.objects() == {}
    assert not left.exists()


def test_a_port_that_is_taken_is_an_error(server: BucketServer, tmp_path: Path) -> None:
    port = int(server.origin.rpartition(":")[2])
    other = BucketServer(tmp_path / "other", port=port)
    with pytest.raises(OSError, match="in use"):
        other.start()
    other.stop()


def test_a_certificate_that_is_none_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "no.pem"
    file.write_text("none")
    with pytest.raises(ssl.SSLError):
        BucketServer(tmp_path / "server", tls=(file, file)).start()


def test_tls(make_client: MakeClient, certificate: tuple[Path, Path]) -> None:
    client = make_client(tls=certificate)
    client.pool = urllib3.PoolManager(ca_certs=str(certificate[0]))
    assert client.server.api_host.startswith("https://127.0.0.1:")
    assert client.upload("a", b"1" * 100_000).status == 200
    assert client.download("a").data == b"1" * 100_000
    client.pool.clear()


def test_objects_can_be_reached_directly(client: Client, server: BucketServer) -> None:
    first = server.put_object("b", b"22")
    second = server.put_object("a", b"1")
    assert list(server.objects().items()) == [("a", (1, second)), ("b", (2, first))]
    assert first < second
    assert server.read_object("b") == b"22"
    assert (server.delete_object("b"), server.delete_object("b")) == (True, False)
    with pytest.raises(KeyError):
        server.read_object("b")
    with pytest.raises(KeyError):
        server.put_object("a", b"1", bucket="other")
    assert client.keys() == ["a"]
    assert len(server.calls.of("get")) == 0


def test_buckets_can_be_made_directly(client: Client, server: BucketServer) -> None:
    first = server.create_bucket("other", provider="azure_blob_storage", ttl_s=5)
    server.put_object("a", b"1", bucket="other")
    shown = client.call("GET", client.bucket_path("other")).json()
    expected = {"id": first, "provider": "azure_blob_storage", "ttl": 5}
    assert expected.items() <= shown.items()
    with pytest.raises(ValueError, match="already"):
        server.create_bucket("other")
    server.delete_bucket("other")
    assert server.create_bucket("other") != first
    server.create_bucket("default", project="second")
    names = [project["name"] for project in client.call("GET", "projects").json()]
    assert names == ["demo", "second"]
    server.set_ttl(1)
    assert client.call("GET", client.bucket_path()).json()["ttl"] == 1


def test_tokens_can_change(client: Client, server: BucketServer) -> None:
    server.tokens["new"] = Role.READER
    assert client.call("GET", "projects", token="Token new").status == 200
    del server.tokens["new"]
    assert client.call("GET", "projects", token="Token new").status == 401


def test_a_token_may_be_given_as_it_is_sent(make_client: MakeClient) -> None:
    client = make_client(token="Token abc")
    assert client.server.token == "abc"
    assert client.call("GET", "status", token="Token abc").status == 200


def test_many_threads_at_once(client: Client, server: BucketServer) -> None:
    def work(name: int) -> None:
        for number in range(20):
            if name % 2:
                client.upload(f"{name}/{number}", b"1")
            else:
                server.put_object(f"{name}/{number}", b"1")

    threads = [threading.Thread(target=work, args=(name,)) for name in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    times = [created_us for _, created_us in server.objects().values()]
    assert len(set(times)) == len(times) == 120


SERVE = """
import sys
from pathlib import Path
from ubiops_file_sync.emulator import serve
serve(Path(sys.argv[1]), lambda host: print(host, flush=True), token="t")
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serving_ends_cleanly_on_a_signal(tmp_path: Path, number: int) -> None:
    command = [sys.executable, "-c", SERVE, str(tmp_path / "server")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    api_host = process.stdout.readline().strip()
    with urllib3.PoolManager() as pool:
        reply = pool.request("GET", api_host + "/status", headers={"Authorization": "Token t"})
    assert reply.json() == {"status": "ok"}
    process.send_signal(number)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (0, "", "")
