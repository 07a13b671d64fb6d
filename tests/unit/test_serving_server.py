"""Given a service that is busy, when many connect at once, then nobody waits for all the others."""

import asyncio
import socket

import pytest
import uvloop

from parivision.serving import server

CLIENTS = 96


async def turns_to_accept(listeners: list[socket.socket]) -> int:
    """Turns of the event loop until all of the clients that connected meanwhile are known."""
    known: list[asyncio.BaseTransport] = []

    class Protocol(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            known.append(transport)

    loop = asyncio.get_running_loop()
    servers = [await loop.create_server(Protocol, sock=each) for each in listeners]
    clients = [socket.create_connection(listeners[0].getsockname()) for _ in range(CLIENTS)]
    turns = 0
    while len(known) < CLIENTS:
        await asyncio.sleep(0)
        turns += 1
        assert turns < 100 * CLIENTS
    for client in clients:
        client.close()
    for each in servers:
        each.close()
    return turns


def test_a_turn_takes_many_new_connections() -> None:
    """One socket alone gives one connection a turn, each of which takes long when all is busy."""
    listeners = server.listen("127.0.0.1", 0)
    assert uvloop.run(turns_to_accept(listeners[:1])) >= CLIENTS
    for each in listeners[1:]:
        each.close()
    turns = uvloop.run(turns_to_accept(server.listen("127.0.0.1", 0)))
    assert turns < CLIENTS / server.ACCEPTED + 10


def test_a_taken_address_is_said() -> None:
    """Who serves where something listens gets a sentence."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SystemExit, match=f"127.0.0.1:{port} cannot be listened on"):
            server.serve(None, None, "127.0.0.1", port)  # type: ignore[arg-type]
