"""Power cuts: what a real import and a real run wrote and synced is traced, and the disk is put together as a cut would leave it.

Of what was written and not yet synced, each write is kept, lost or torn (sector by sector), and each new or deleted name is
kept or lost, by chance. Every request that had left before the cut must be a row that is not pending, the batch of an import
that had ended must be there whole, and one run more must bring the campaign to its end with the checker finding nothing. A long
import, of which the log is folded into the file while it is written, and begun anew, is cut too. The control group is the same
program with `synchronous=NORMAL`, built from a copy of the sources: there rows must be lost.
"""

import os
import random
import re
import shutil
import subprocess
import time
from collections import Counter
from pathlib import Path

from full import queue, seeded
from full.checker import Checker
from full.part import KEPT, Failed, Found, program
from full.queue import hold

ROWS = 500
# So many, of so many bytes, that the log is begun anew before the import ends.
LONG_ROWS, LONG_BYTES = 250_000, 250
CONCURRENCY = 3
RUN = f"run campaign --concurrency {CONCURRENCY} --max-unknown {ROWS} --wait 0"
# What a disk writes as a whole.
SECTOR = 512
# Cuts of one traced campaign; then another is sent.
CUTS_A_TRACE = 50
# One cut in so many is one of the control group besides.
CONTROL_ONE_IN = 5
# One cut in so many is one of the long import instead.
LONG_ONE_IN = 20
CUTS, IMPORTS, LOST = "cuts", "of them of an import", "rows lost from `sending`"
LONG, ANEW = "of a long import", "times that its log was begun anew"
CONTROL, CONTROL_FAILED = "cuts of the control group", "of those that lost rows"
CONTROL_LOST, SYNCS, WRITES = "rows that it lost", "syncs traced", "writes traced"
FIGURES = (CUTS, IMPORTS, LONG, ANEW, LOST, CONTROL, CONTROL_FAILED, CONTROL_LOST, SYNCS, WRITES)

CALLS = "pwrite64,write,writev,sendto,sendmsg,fsync,fdatasync,ftruncate,openat,?unlink,unlinkat,?rename,renameat,renameat2"


def cut(rounds, minutes, seed):
    """Cuts the power of campaigns that are traced, and now and then of one whose commits do not sync."""
    queue.need("strace")
    began, first = time.monotonic(), random.randrange(1 << 32) if seed is None else seed
    folder = queue.folder_of("power-work")
    binary, checker = program(), Checker()
    unsynced = without_syncs()
    figures, done = Counter({figure: 0 for figure in FIGURES}), 0
    with queue.StandIn(binary, folder, "--latency 1ms..6ms") as stand_in:
        long = LongImport(binary, folder / "long", stand_in)
        figures[ANEW] = long.times_anew()
        group = None
        while done < rounds and (done == 0 or time.monotonic() - began < minutes * 60):
            if done % CUTS_A_TRACE == 0:
                group = Campaign(binary, folder / "traced", stand_in, figures)
                control = Campaign(unsynced, folder / "control", stand_in, Counter())
            rng = random.Random(first + done)
            try:
                if done % LONG_ONE_IN == LONG_ONE_IN - 1:
                    long.cut(rng, folder / "cut", figures)
                else:
                    lost = group.cut(rng, folder / "cut", checker, figures)
                    hold(lost == 0, f"{lost} rows whose requests had left are pending again")
                if done % CONTROL_ONE_IN == 0:
                    control.cut_of_control(rng, folder / "cut", figures)
            except Failed as why:
                raise Failed(f"--seed {first + done}: {why}\nthe trace and the files after the cut are in {folder}") from None
            done += 1
    hold(figures[ANEW] > 0, "the log of the long import was not begun anew: these cuts do not show what they are for")
    hold(figures[CONTROL_FAILED] > 0, "with `synchronous=NORMAL` no cut lost a row either: these cuts show nothing")
    shutil.rmtree(folder)
    return Found(done, rounds, time.monotonic() - began, f"{first}…{first + done - 1}", dict(figures))


def without_syncs():
    """The program of a copy of the sources, in which a commit does not sync the log."""
    tree = seeded.copied(KEPT / "power-normal-sources")
    seeded.patch(tree, "normal-instead-of-full")
    # What is built is kept: its dependencies do not change.
    built = program(tree, KEPT / "power-normal")
    shutil.rmtree(tree)
    return built


class Traced:
    """An import under a trace: what happened to the queue's files."""

    def __init__(self, binary, folder, stand_in, campaign):
        self.binary, self.stand_in = binary, stand_in
        self.folder = folder
        shutil.rmtree(folder, ignore_errors=True)
        self.queue = folder / "queue"
        self.queue.mkdir(parents=True)
        self.file = folder / "campaign.csv"
        self.file.write_text(campaign, encoding="utf-8")
        self.events = self.trace(self.importing())
        self.imported = len(self.events)

    def importing(self):
        return f"import {self.file} --endpoint {self.stand_in.url}"

    def trace(self, line):
        """What a command of the program did to the queue's files and wrote to the network."""
        file = self.folder / "trace"
        words = ["strace", "-f", "--seccomp-bpf", "-qq", "-y", "-xx", "-s", "70000", "-o", str(file), "-e", f"trace={CALLS}"]
        words += queue.words_of(self.binary, self.queue, line)
        done = subprocess.run(
            words, cwd=self.queue, env=queue.environment(self.queue), stdin=subprocess.DEVNULL, capture_output=True, text=True
        )
        hold(done.returncode == 0, f"`{line}` under strace ended with {done.returncode}: {done.stderr}")
        events = events_of(file, self.queue.resolve())
        file.unlink()
        return events

    def left_behind(self, rng, at, folder):
        """Makes the files as the cut leaves them; the people whose requests had left."""
        disk, sent = Disk(), set()
        for event in self.events[:at]:
            if isinstance(event, Request):
                sent.add(event.phone)
            else:
                event.happen(disk)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name, content in disk.after_a_cut(rng).items():
            if name in queue.FILES[:2]:
                (folder / name).write_bytes(content)
        # Its content is never synced, and whoever opens the database first makes it anew.
        if rng.random() < 0.5:
            (folder / queue.FILES[2]).write_bytes(rng.randbytes(32 * 1024))
        return sent

    def import_again(self, at, folder):
        """The import, typed once more after the cut: one that had ended is there, and any other is as if it had never begun."""
        again = queue.mep(self.binary, folder, self.importing())
        expected = (7,) if at == self.imported else (0, 7)
        hold(again.returncode in expected, f"cut at {at}, the import again ended with {again.returncode}: {again.stderr}")


class LongImport(Traced):
    """An import that takes its log into the file several times before it ends."""

    def __init__(self, binary, folder, stand_in):
        super().__init__(binary, folder, stand_in, queue.campaign(LONG_ROWS, "x" * LONG_BYTES))

    def times_anew(self):
        """How often the log was begun anew: its first bytes were written once more."""
        begun = [event for event in self.events if isinstance(event, Write) and event.is_start_of(queue.FILES[1])]
        return len(begun) - 1

    def cut(self, rng, folder, figures):
        """Cuts the power at a random moment, or right behind the end: each row is there afterwards, once."""
        at = self.imported if rng.random() < 0.2 else rng.randrange(self.imported)
        figures[CUTS] += 1
        figures[LONG] += 1
        self.left_behind(rng, at, folder)
        self.import_again(at, folder)
        for table in ("invocation AS i JOIN content AS c ON c.invocation_id = i.id", "fingerprint"):
            found = queue.read(folder, f"SELECT COUNT(*) FROM {table}")
            hold(found == [(LONG_ROWS,)], f"cut at {at}, {found} rows in `{table}`; expected {LONG_ROWS}")
        whole = queue.read(folder, "PRAGMA integrity_check")
        hold(whole == [("ok",)], f"cut at {at}, the database is not whole: {whole}")


class Campaign(Traced):
    """A campaign that was imported and sent under a trace: what happened to its files, and which requests left, in order."""

    def __init__(self, binary, folder, stand_in, figures):
        super().__init__(binary, folder, stand_in, queue.campaign(ROWS))
        begin = stand_in.length()
        self.events += self.trace(RUN)
        self.receipts = stand_in.since(begin)
        hold(len(self.receipts) == ROWS, f"of {ROWS} requests {len(self.receipts)} came")
        left = [event.phone for event in self.events if isinstance(event, Request)]
        hold(len(set(left)) == ROWS, f"of {ROWS} requests the trace shows {len(set(left))}")
        self.first_sent = next(place for place, event in enumerate(self.events) if isinstance(event, Request))
        figures[SYNCS] += sum(isinstance(event, Sync) and event.has_ended for event in self.events)
        figures[WRITES] += sum(isinstance(event, Write) for event in self.events)

    def cut(self, rng, folder, checker, figures):
        """Cuts the power at a random moment and goes on: how many rows were forgotten that had been sent."""
        is_of_import = rng.random() < 0.2
        at = rng.randrange(self.imported + 1) if is_of_import else rng.randrange(self.imported, len(self.events) + 1)
        figures[CUTS] += 1
        figures[IMPORTS] += is_of_import
        sent = self.left_behind(rng, at, folder)
        if is_of_import:
            self.import_again(at, folder)
        lost = forgotten(folder, sent)
        figures[LOST] += lost
        begin = self.stand_in.length()
        done = queue.mep(self.binary, folder, RUN)
        hold(done.returncode in (0, 4), f"cut at {at}, the run after it ended with {done.returncode}: {done.stderr}")
        if lost == 0:
            before = [line for line in self.receipts if phone_in(line) in sent]
            queue.judge(checker, folder, before + self.stand_in.since(begin), self.file, ROWS)
        return lost

    def cut_of_control(self, rng, folder, figures):
        """Likewise, of the program that does not sync: nothing has to hold, and what is lost is counted."""
        sent = self.left_behind(rng, rng.randrange(self.first_sent, len(self.events) + 1), folder)
        lost = forgotten(folder, sent)
        figures[CONTROL] += 1
        figures[CONTROL_FAILED] += lost > 0
        figures[CONTROL_LOST] += lost


def phone_in(line):
    found = re.search(r'"phoneNumber":"?(\d+)', line)
    return found.group(1) if found else ""


def forgotten(folder, sent):
    """How many of these people's rows are as if nothing had been sent."""
    if not sent:
        return 0
    known = "SELECT c.phone FROM invocation AS i JOIN content AS c ON c.invocation_id = i.id WHERE i.state <> 'pending'"
    return len(sent - {str(phone) for (phone,) in queue.read(folder, known)})


class Platter:
    """What is surely there after a cut, and what was changed since."""

    def __init__(self, sure):
        self.sure, self.unsure = sure, []
        # How many changes have arrived before those.
        self.arrived = 0

    def count(self):
        """How many changes there were."""
        return self.arrived + len(self.unsure)

    def sync(self, until):
        """The first so many changes, of all that there were, have arrived."""
        arriving = max(until - self.arrived, 0)
        for change in self.unsure[:arriving]:
            self.apply(change, self.sure)
        del self.unsure[:arriving]
        self.arrived += arriving


class Disk(Platter):
    """A folder's names, and its files."""

    def __init__(self):
        super().__init__({})
        # The files, by a number each, and the names as they are.
        self.files, self.names = [], {}

    def file(self, name):
        """The file of that name, if there is one."""
        number = self.names.get(name)
        return None if number is None else self.files[number]

    def name(self, name, number):
        """Gives a file a name, or takes a name away."""
        self.unsure.append((name, number))
        self.apply(self.unsure[-1], self.names)

    def create(self, name):
        """A new, empty file."""
        self.files.append(File())
        self.name(name, len(self.files) - 1)

    def apply(self, change, names):
        """Carries a change of a name out."""
        name, number = change
        if number is None:
            names.pop(name, None)
        else:
            names[name] = number

    def after_a_cut(self, rng):
        """The files by their names, as chance leaves them."""
        fate = rng.choice((Fate.none, Fate.all, Fate.each, Fate.each, Fate.prefix))
        names = dict(self.sure)
        for change, has_arrived in zip(self.unsure, fate(rng, len(self.unsure))):
            if has_arrived:
                self.apply(change, names)
        return {name: self.files[number].after_a_cut(rng, fate) for name, number in names.items()}


class Fate:
    """Which of so many things that were on their way have arrived."""

    @staticmethod
    def none(_rng, count):
        return [False] * count

    @staticmethod
    def all(_rng, count):
        return [True] * count

    @staticmethod
    def each(rng, count):
        share = rng.random()
        return [rng.random() < share for _ in range(count)]

    @staticmethod
    def prefix(rng, count):
        arrived = rng.randint(0, count)
        return [place < arrived for place in range(count)]


class File(Platter):
    """The content of a file."""

    def __init__(self):
        super().__init__(bytearray())

    def apply(self, change, content):
        """Carries a write or a cut out."""
        change.apply(content)

    def after_a_cut(self, rng, fate):
        """The content as chance leaves it."""
        content = bytearray(self.sure)
        is_torn = rng.random() < 0.7
        for change, has_arrived in zip(self.unsure, fate(rng, len(self.unsure))):
            if is_torn and isinstance(change, Write) and rng.random() < 0.2:
                change.apply_torn(content, rng)
            elif has_arrived:
                change.apply(content)
        return bytes(content)


class Request:
    """A request has left, or is about to."""

    def __init__(self, phone):
        self.phone = phone


class Write:
    """Bytes were given to the system; from then on they may reach the platter."""

    def __init__(self, name, offset, data):
        self.name, self.offset, self.data = name, offset, data

    def is_start_of(self, name):
        """Whether it writes the first bytes of that file."""
        return self.name == name and self.offset == 0

    def happen(self, disk):
        file = disk.file(self.name)
        if file is not None:
            file.unsure.append(self)

    def apply(self, content):
        put(content, self.offset, self.data)

    def apply_torn(self, content, rng):
        """Some of the sectors that it touches are as they were."""
        place = 0
        while place < len(self.data):
            length = SECTOR - (self.offset + place) % SECTOR
            if rng.random() < 0.5:
                put(content, self.offset + place, self.data[place : place + length])
            place += length


def put(content, offset, data):
    if len(content) < offset:
        content.extend(bytes(offset - len(content)))
    content[offset : offset + len(data)] = data


class Cut:
    """A file was made shorter or longer."""

    def __init__(self, name, length):
        self.name, self.length = name, length

    def happen(self, disk):
        file = disk.file(self.name)
        if file is not None:
            file.unsure.append(self)

    def apply(self, content):
        if len(content) > self.length:
            del content[self.length :]
        else:
            content.extend(bytes(self.length - len(content)))


class Created:
    """A file was opened that may not have been there."""

    def __init__(self, name, is_emptied):
        self.name, self.is_emptied = name, is_emptied

    def happen(self, disk):
        if disk.file(self.name) is None:
            disk.create(self.name)
        elif self.is_emptied:
            disk.file(self.name).unsure.append(Cut(self.name, 0))


class Named:
    """A name was taken away, or given to another file."""

    def __init__(self, name, becomes):
        self.name, self.becomes = name, becomes

    def happen(self, disk):
        number = disk.names.get(self.name)
        disk.name(self.name, None)
        if self.becomes is not None and number is not None:
            disk.name(self.becomes, number)


class Sync:
    """A sync has begun, or has ended: what was written before it began is on the platter then."""

    def __init__(self, name, begun=None):
        # The folder has an empty name. `begun`: the sync that this is the end of.
        self.name, self.begun, self.has_ended = name, begun, begun is not None
        self.what, self.until = None, 0

    def happen(self, disk):
        if self.has_ended:
            if self.begun.what is not None:
                self.begun.what.sync(self.begun.until)
            return
        self.what = disk if self.name == "" else disk.file(self.name)
        self.until = self.what.count() if self.what is not None else 0


LINE = re.compile(r"^(\d+) +(.*)$")
RESUMED = re.compile(r"^<\.\.\. (\w+) resumed>(.*)$")
CALL = re.compile(r"^(\w+)\((.*)\) += (-?\w+)(.*)$", re.DOTALL)
UNFINISHED = " <unfinished ...>"
STRING = re.compile(r'"((?:\\x[0-9a-f]{2})*)"(\.\.\.)?')
DESCRIPTOR = re.compile(r"^\d+<([^>]*)>")
PHONE = re.compile(rb'"phoneNumber":"?(\d+)')


def events_of(file, folder):
    """What a trace tells of the files in that folder and of requests, in order: writes as they begin, syncs as they begin and
    end, all else as it ends."""
    events, open_calls = [], {}
    with file.open(encoding="ascii", errors="replace") as lines:
        for line in lines:
            found = LINE.match(line.rstrip("\n"))
            if not found:
                continue
            thread, text = found.groups()
            resumed = RESUMED.match(text)
            if resumed:
                begin, begun = open_calls.pop(thread)
                end_call(begin + resumed.group(2), begun, folder, events)
            elif text.endswith(UNFINISHED):
                begin = text.removesuffix(UNFINISHED)
                open_calls[thread] = (begin, begin_call(begin, folder, events))
            else:
                end_call(text, begin_call(text, folder, events), folder, events)
    return events


def begin_call(text, folder, events):
    """Takes in what a call does from its beginning on; the sync, if it is one."""
    name, _, arguments = text.partition("(")
    if name in ("sendto", "sendmsg", "write", "writev"):
        data = b"".join(bytes_of(string) for string in STRING.finditer(arguments))
        for phone in PHONE.findall(data):
            events.append(Request(phone.decode()))
    elif name == "pwrite64":
        target = name_of(arguments, folder)
        if target is not None:
            string = STRING.search(arguments)
            hold(string and not string.group(2), "a write is cut short in the trace")
            length, offset = (int(number) for number in re.findall(r", (\d+)", arguments[string.end() :])[:2])
            data = bytes_of(string)
            hold(len(data) == length, "a write is cut short in the trace")
            events.append(Write(target, offset, data))
    elif name in ("fsync", "fdatasync"):
        target = name_of(arguments, folder)
        if target is not None:
            sync = Sync(target)
            events.append(sync)
            return sync
    return None


def end_call(text, begun, folder, events):
    """Takes in what a call has done."""
    found = CALL.match(text)
    if not found:
        return
    name, arguments, result, rest = found.groups()
    hold(name != "pwrite64" or name_of(arguments, folder) is None or int(result) > 0, f"a traced write failed: {result}{rest}")
    if result.startswith("-"):
        return
    if begun is not None:
        events.append(Sync(begun.name, begun))
    elif name == "ftruncate" and (target := name_of(arguments, folder)) is not None:
        events.append(Cut(target, int(arguments.rpartition(", ")[2])))
    elif name == "openat" and "O_CREAT" in arguments and (target := named(arguments, folder)[:1]) != []:
        events.append(Created(target[0], "O_TRUNC" in arguments))
    elif name in ("unlink", "unlinkat") and (target := named(arguments, folder)) != []:
        events.append(Named(target[0], None))
    elif name in ("rename", "renameat", "renameat2") and (target := named(arguments, folder)) != []:
        hold(len(target) == 2, "a file was renamed into or out of the folder")
        events.append(Named(target[0], target[1]))


def bytes_of(string):
    return bytes.fromhex(string.group(1).replace("\\x", ""))


def path_of(text):
    """A path as the trace has it."""
    return re.sub(r"\\x([0-9a-f]{2})", lambda found: chr(int(found.group(1), 16)), text)


def inside(path, folder):
    """The name of a file in the folder, nothing for the folder itself; None for what is elsewhere, or deleted."""
    path = Path(path)
    if path == folder:
        return ""
    return path.name if path.parent == folder else None


def name_of(arguments, folder):
    """The name of the file that a call's descriptor leads to."""
    found = DESCRIPTOR.match(arguments)
    if not found or arguments.startswith("(deleted)", found.end()):
        return None
    return inside(path_of(found.group(1)), folder)


def named(arguments, folder):
    """The names in a call's arguments that are files in the folder."""
    paths = (bytes_of(string).decode(errors="replace") for string in STRING.finditer(arguments))
    names = (inside(os.path.join(folder, path), folder) for path in paths)
    return [name for name in names if name]
