"""The peer of `run`: sends from a SQLite queue with asyncio, aiohttp and sqlite3, and keeps each row's state.

asyncio_peer.py URL DATABASE IN_FLIGHT group|row

`group`: as the program does it, one commit marks the taken rows and stores all outcomes that have come meanwhile.
`row`: two commits a row, one before its request and one after it.

It checks no body, keeps no history and guards nothing.
"""

import asyncio
import json
import sqlite3
import sys
import time

import aiohttp

TAKE = """UPDATE invocation SET state = 'sending' WHERE id IN
    (SELECT id FROM invocation WHERE state = 'pending' ORDER BY id LIMIT ?) RETURNING id, body"""
SETTLE = "UPDATE invocation SET state = ?, status = ?, request_id = ? WHERE id = ? AND state = 'sending'"


async def main():
    url, path, in_flight, commit = sys.argv[1:]
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA synchronous = FULL")
    connector = aiohttp.TCPConnector(limit=0)
    headers = {"Content-Type": "application/json"}
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:
        began = time.monotonic()
        send_all = by_group if commit == "group" else by_row
        sent = await send_all(session, url, database, int(in_flight))
        print(json.dumps({"sent": sent, "seconds": time.monotonic() - began}))


async def post(session, url, body):
    async with session.post(url, data=body) as answer:
        await answer.read()
        state = "accepted" if answer.status == 202 else "failed"
        return state, answer.status, answer.headers.get("X-Request-Id")


async def by_group(session, url, database, in_flight):
    ready, outcomes, news = asyncio.Queue(), [], asyncio.Event()

    async def sender():
        while True:
            row, body = await ready.get()
            outcomes.append((*await post(session, url, body), row))
            news.set()

    def turn(settled, free):
        database.execute("BEGIN IMMEDIATE")
        database.executemany(SETTLE, settled)
        taken = database.execute(TAKE, (free,)).fetchall()
        database.execute("COMMIT")
        return taken

    senders = [asyncio.create_task(sender()) for _ in range(in_flight)]
    busy, sent = 0, 0
    while True:
        settled, outcomes[:] = outcomes[:], []
        busy -= len(settled)
        sent += len(settled)
        # In the loop itself: with a thread for it, the two wait for one another and it is slower.
        taken = turn(settled, in_flight - busy)
        busy += len(taken)
        for row in taken:
            ready.put_nowait(row)
        if not busy:
            break
        if not outcomes:
            news.clear()
            await news.wait()
    for one in senders:
        one.cancel()
    return sent


async def by_row(session, url, database, in_flight):
    sent = 0

    async def sender():
        nonlocal sent
        while taken := database.execute(TAKE, (1,)).fetchall():
            row, body = taken[0]
            database.execute(SETTLE, (*await post(session, url, body), row))
            sent += 1

    await asyncio.gather(*(sender() for _ in range(in_flight)))
    return sent


asyncio.run(main())
