"""A queue in a folder, the program on it and the stand-in, for parts that are no test of `cargo test`."""

import json
import os
import shutil
import sqlite3
import subprocess
import threading

from full.part import KEPT, Failed

SERVICE = "0123456789ABCDEF"
# What any process may take, on a machine that is busy with other things too.
PATIENCE_S = 240
# The database's files, which belong together.
FILES = ("queue.db", "queue.db-wal", "queue.db-shm")


def environment(folder):
    """Nothing of this machine but the path: no configuration and no credentials."""
    names = {"HOME": "", "XDG_DATA_HOME": "data", "XDG_CONFIG_HOME": "config"}
    return {"PATH": os.environ.get("PATH", ""), "USER": "operator", **{name: str(folder / sub) for name, sub in names.items()}}


def words_of(program, folder, line):
    """The program's command line on the queue of that folder."""
    return [str(program), *line.split(), "--db", str(folder / "queue.db")]


def mep(program, folder, line):
    """Runs the program to its end."""
    words = words_of(program, folder, line)
    return subprocess.run(
        words, cwd=folder, env=environment(folder), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE_S
    )


def phone(person):
    """A number of the fictional 555-01 exchange."""
    return f"1{200 + person // 100}55501{person % 100:02}"


def campaign(rows, text="window"):
    """A file of that many people, each of whom is told that text too."""
    lines = (f"{SERVICE},{phone(person)},{person}A,{text}\n" for person in range(rows))
    return "serviceId,phoneNumber,session.seatLocation,session.text\n" + "".join(lines)


class StandIn:
    """The stand-in as a process of its own, with receipts; ends with the `with` that it is used in, or by `end`."""

    def __init__(self, program, folder, flags, address="127.0.0.1:0", receipts="receipts.ndjson"):
        self.receipts = folder / receipts
        words = [str(program), "simulate", "--listen", address, "--json", "--seed", "2", "--receipts", str(self.receipts)]
        self._process = subprocess.Popen(
            [*words, *flags.split()],
            cwd=folder, env=environment(folder), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )
        self.url = json.loads(self._process.stdout.readline())["listening"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def end(self):
        """Ends it."""
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()

    def length(self):
        """How long the file of receipts is: where the next one will stand."""
        return self.receipts.stat().st_size if self.receipts.exists() else 0

    def since(self, start):
        """The receipts behind that place, a line each; one that is still being written is left out."""
        if not self.receipts.exists():
            return []
        with self.receipts.open("rb") as file:
            file.seek(start)
            whole = file.read().rpartition(b"\n")[0]
        return [line.decode() for line in whole.split(b"\n") if line]


def judge(checker, folder, receipts, campaign_file, rows):
    """Holds a queue that nothing is alive on against the receipts, given as lines, and the file that went in."""
    file = folder / "judged.ndjson"
    file.write_text("".join(f"{line}\n" for line in receipts), encoding="utf-8")
    checker.judge(folder / "queue.db", [file], [campaign_file], rows)


def read(folder, sql):
    """What a query finds in the queue of a folder. A copy is asked: opening a database changes its files."""
    copy = folder / "read"
    shutil.rmtree(copy, ignore_errors=True)
    copy.mkdir()
    for name in FILES[:2]:
        if (folder / name).exists():
            shutil.copyfile(folder / name, copy / name)
    connection = sqlite3.connect(copy / FILES[0])
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()
        shutil.rmtree(copy, ignore_errors=True)


def copy_queue(source, target):
    """Copies a queue that nothing is alive on into an empty folder."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for name in FILES:
        if (source / name).exists():
            shutil.copyfile(source / name, target / name)


class Watched:
    """A process whose stderr is read while it lives."""

    def __init__(self, words, folder, hears):
        self.process = subprocess.Popen(
            words, cwd=folder, env=environment(folder), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            text=True, errors="replace",
        )
        self._said = []
        self._reader = threading.Thread(target=self._read, args=(hears,), daemon=True)
        self._reader.start()

    def _read(self, hears):
        for line in self.process.stderr:
            self._said.append(line)
            hears(self, line)

    def finish(self):
        """Waits for its end: the exit code, and what it said."""
        try:
            code = self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise Failed(f"the process goes on and on; it said:\n{''.join(self._said)}") from None
        self._reader.join(PATIENCE_S)
        self.process.stderr.close()
        return code, "".join(self._said)


def hold(is_so, what):
    """Fails with `what` where it is not so."""
    if not is_so:
        raise Failed(what)


def need(*programs):
    """Fails where a program is missing that is no part of the project."""
    for program in programs:
        hold(shutil.which(program), f"`{program}` is not installed")


def folder_of(name):
    """An empty folder of that name below the target's, on a real disk."""
    folder = KEPT / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
