"""How faults are done to a connection."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from .faults import Fault, FaultKind

_OTHER_BYTES = bytes(byte ^ 0x55 for byte in range(256))

CUTS = frozenset({FaultKind.TRUNCATE, FaultKind.TRUNCATE_CHUNKED, FaultKind.WRONG_BODY})


async def abort(scope: Scope, receive: Receive) -> None:
    """Reset the connection, so that the client sees neither an answer nor an orderly end."""
    transport = scope["state"]["transport"]
    connection: socket.socket | None = transport.get_extra_info("socket")
    if connection is not None:
        # Lingering for no time makes the kernel send RST rather than FIN.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
    await until_gone(receive)


async def hang(scope: Scope, receive: Receive, seconds: float) -> None:
    """Answer nothing until the client has gone, or the time is over."""
    try:
        await asyncio.wait_for(until_gone(receive), seconds)
    except TimeoutError:
        await abort(scope, receive)


async def until_gone(receive: Receive) -> None:
    """Wait for the end of the connection."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def send_damaged(
    fault: Fault, response: Response, scope: Scope, receive: Receive, send: Send
) -> None:
    """Send the response with its body cut or altered."""
    if fault.kind == FaultKind.WRONG_BODY:
        await response(scope, receive, _altering(send))
        return
    is_chunked = fault.kind == FaultKind.TRUNCATE_CHUNKED
    await response(scope, receive, _cutting(send, fault.length, is_chunked=is_chunked))
    if not is_chunked:
        scope["state"]["transport"].close()
        await until_gone(receive)


def _altering(send: Send) -> Send:
    async def altered(message: Message) -> None:
        if message["type"] == "http.response.body":
            message = {**message, "body": bytes(message.get("body", b"")).translate(_OTHER_BYTES)}
        await send(message)

    return altered


def _cutting(send: Send, length: int, *, is_chunked: bool) -> Send:
    left = length

    async def cut(message: Message) -> None:
        nonlocal left
        if message["type"] == "http.response.start":
            if is_chunked:
                message = {**message, "headers": _without_length(message["headers"])}
            await send(message)
            return
        body = bytes(message.get("body", b""))[:left]
        left -= len(body)
        is_last = is_chunked and not message.get("more_body", False)
        if body or is_last:
            await send({"type": "http.response.body", "body": body, "more_body": not is_last})

    return cut


def _without_length(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    return [(name, value) for name, value in headers if name != b"content-length"]


async def discard(response: Response, scope: Scope, receive: Receive) -> None:
    """Let the response go nowhere, but release what it holds."""

    async def nowhere(message: Message) -> None:
        del message

    await response(scope, receive, nowhere)


Respond = Callable[[], Awaitable[Response]]
"""Serves the request: has its effect and gives the response, which is not sent yet."""

FaultAnswer = Callable[[Fault], Response]
"""Gives the response of a `status` fault."""

Recorder = Callable[[int], Any]
"""Logs the request with the status that the client gets to see."""


async def serve_with(
    fault: Fault,
    respond: Respond,
    answer: FaultAnswer,
    record: Recorder,
    connection: tuple[Scope, Receive, Send],
) -> None:
    """Serve one request with the fault."""
    scope, receive, send = connection
    kind = FaultKind(fault.kind)
    if fault.meanwhile is not None:
        fault.meanwhile()
    if kind is FaultKind.RESET_BEFORE:
        record(0)
        await abort(scope, receive)
    elif kind is FaultKind.HANG:
        record(0)
        await hang(scope, receive, fault.seconds)
    elif kind is FaultKind.STATUS:
        record(fault.code)
        await answer(fault)(scope, receive, send)
    elif kind in (FaultKind.RESET_AFTER, FaultKind.HANG_AFTER):
        await discard(await respond(), scope, receive)
        record(0)
        if kind is FaultKind.HANG_AFTER:
            await hang(scope, receive, fault.seconds)
        else:
            await abort(scope, receive)
    else:
        if kind is FaultKind.LATENCY:
            await asyncio.sleep(fault.seconds)
        response = await respond()
        record(response.status_code)
        if kind in CUTS:
            await send_damaged(fault, response, scope, receive, send)
        else:
            await response(scope, receive, send)
