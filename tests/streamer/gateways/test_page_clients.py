"""Clients: bounded in number and in what waits; one that is slow costs the others nothing."""

import asyncio

from streamer.gateways.page_clients import MOST_CLIENTS, MOST_WAITING, Clients


def made(run):
    return asyncio.run(run())


def test_the_first_events_come_first_and_together():
    async def run():
        clients = Clients()
        client = clients.add([b"a", b"b"], lambda: None)
        clients.tell(b"c")
        return [client.queue.get_nowait() for _ in range(2)]

    assert made(run) == [b"ab", b"c"]


def test_a_slow_one_is_dropped_and_the_others_miss_nothing():
    async def run():
        clients, dropped = Clients(), []
        clients.add([], lambda: dropped.append("slow"))
        quick = clients.add([], lambda: dropped.append("quick"))
        taken = [quick.queue.get_nowait()]
        for n in range(MOST_WAITING + 5):
            clients.tell(b"%d" % n)
            taken.append(quick.queue.get_nowait())
        return dropped, taken, len(clients), clients.dropped

    dropped, taken, count, total = made(run)
    assert (dropped, count, total) == (["slow"], 1, 1)
    assert taken[1:] == [b"%d" % n for n in range(MOST_WAITING + 5)]


def test_one_too_many_is_refused_until_another_goes():
    async def run():
        clients = Clients()
        opened = [clients.add([], lambda: None) for _ in range(MOST_CLIENTS)]
        refused = clients.add([], lambda: None)
        clients.remove(opened[0])
        clients.remove(opened[0])
        return refused, clients.add([], lambda: None)

    refused, accepted = made(run)
    assert refused is None
    assert accepted is not None


def test_all_are_dropped_at_the_end():
    async def run():
        clients, dropped = Clients(), []
        for n in range(3):
            clients.add([], lambda n=n: dropped.append(n))
        clients.drop_all()
        return sorted(dropped), len(clients)

    assert made(run) == ([0, 1, 2], 0)
