"""A service does not keep a heap for each thread that ever ran in it."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

HEAPS = """
import re, sys, threading
from ubiops_file_sync.service.heap import share_one_heap
if sys.argv[1] == "one":
    share_one_heap()
together = threading.Barrier(8)
def work():
    kept = [bytes(1000) for _ in range(100)]
    together.wait()
threads = [threading.Thread(target=work) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
reserved = re.findall(r"^(\\w+)-(\\w+) ---p", open("/proc/self/maps").read(), re.M)
print(sum(60 << 20 < int(end, 16) - int(start, 16) <= 64 << 20 for start, end in reserved))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has several")
def test_threads_share_one_heap() -> None:
    def heaps(wanted: str) -> int:
        command = [sys.executable, "-c", HEAPS, wanted]
        return int(subprocess.run(command, capture_output=True, check=True).stdout)

    assert heaps("one") == 0
    assert heaps("usual") > 0, "else this test could not fail"
