"""A proxy that holds every byte back: `python -m benchmarks.delay PORT TARGET_PORT SECONDS`.

Half of a round trip each way. It parses nothing, so that TLS passes through it.
"""

from __future__ import annotations

import asyncio
import sys
from functools import partial


class _Side(asyncio.Protocol):
    """One of the two connections of a pair."""

    def __init__(self, delay_s: float) -> None:
        self.delay_s = delay_s
        self.other: _Side | None = None
        self.transport: asyncio.Transport | None = None
        self.early: list[bytes] = []
        self.connecting: asyncio.Task[object] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        for data in self.early:
            transport.write(data)

    def send(self, data: bytes) -> None:
        """Write, or keep it until there is a connection."""
        if self.transport is None:
            self.early.append(data)
        elif not self.transport.is_closing():
            self.transport.write(data)

    def data_received(self, data: bytes) -> None:
        if self.other is not None:
            asyncio.get_running_loop().call_later(self.delay_s, self.other.send, data)

    def connection_lost(self, exc: Exception | None) -> None:
        other = self.other
        if other is not None and other.transport is not None:
            asyncio.get_running_loop().call_later(self.delay_s, other.transport.close)


def _accept(target: int, delay_s: float) -> _Side:
    near, far = _Side(delay_s), _Side(delay_s)
    near.other, far.other = far, near
    loop = asyncio.get_running_loop()
    near.connecting = loop.create_task(loop.create_connection(lambda: far, "127.0.0.1", target))
    return near


async def _serve(port: int, target: int, delay_s: float) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(partial(_accept, target, delay_s), "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
