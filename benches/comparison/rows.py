"""The rows that are sent: the same as a CSV file, as bodies, and as a queue."""

import os
import shutil

HEADER = (
    "phoneNumber,mobileOperatorId,session.seat,session.class,session.flight,session.airline,user.account,user.name\n"
)

# Rows that are written at once.
CHUNK = 10_000


def cells(number):
    """A row as a line of CSV: 131 bytes."""
    return (
        f"{447700000000 + number},383,14C by the window,premium economy,{number:07d},Awesome Airways,"
        f"MJHF-{number:07d}-2026,Passenger of Frequent Flights {number:07d}"
    )


def body(number):
    """What the program makes of the row, byte for byte: 275 bytes."""
    return (
        f'{{"endUser":{{"phoneNumber":{447700000000 + number},"mobileOperatorId":383}},"variables":{{"session":'
        f'{{"seat":"14C by the window","class":"premium economy","flight":"{number:07d}",'
        f'"airline":"Awesome Airways"}},"user":{{"account":"MJHF-{number:07d}-2026",'
        f'"name":"Passenger of Frequent Flights {number:07d}"}}}}}}'
    )


def csv_file(work, rows):
    return work.once(f"csv {rows}", lambda: written(work.path(f"rows-{rows}.csv"), rows, cells, HEADER))


def bodies_file(work, rows):
    return work.once(f"bodies {rows}", lambda: written(work.path(f"bodies-{rows}"), rows, body))


def queue(work, rows, simulator):
    """A SQLite queue with one batch, `b`, freshly imported; what the import cost is `queue_cost`."""

    def make():
        path = work.path(f"queue-{rows}-{simulator.base.rsplit(':', 1)[1]}.db")
        return path, fill(work, path, rows, simulator)

    return work.once(f"queue {rows} {simulator.base}", make)


def fill(work, database, rows, simulator):
    """Imports the rows into a database; what it cost."""
    return work.tool(
        database, "import", csv_file(work, rows), "--service", "ABC123", "--batch", "b", "--endpoint", simulator.base
    )


def fresh(work, original, name):
    """A copy of a database file, on the disk before anything is timed."""
    path = work.path(name)
    for suffix in ("", "-wal", "-shm", ".lock"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    shutil.copyfile(original, path)
    work.forget_notes()
    os.sync()
    return path


def written(path, rows, text, header=""):
    with open(path, "w", encoding="ascii") as file:
        file.write(header)
        for start in range(0, rows, CHUNK):
            file.write("".join(text(number) + "\n" for number in range(start, min(start + CHUNK, rows))))
    os.sync()
    return path
