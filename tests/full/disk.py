"""I/O errors: system calls on the database's files fail under the real program, and a disk fills up under it.

After each: nothing was sent after the first failed commit but what was in flight, everything that was answered is stored or
in the log, the error says what to do; and once the disk is well, one run more brings the campaign to its end and the checker
finds nothing.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from full import queue
from full.checker import Checker
from full.part import Failed, Found, program
from full.queue import FILES, hold

ROWS = 120
CONCURRENCY = 4
RUN = f"run campaign --concurrency {CONCURRENCY} --max-unknown {ROWS} --wait 0"
# Rounds at once: most of their time is the 30 s in which a run hopes for its disk to be well again.
AT_ONCE = 8
TROUBLE = "Nothing more is sent"
WAITS = "another process's transaction is waited for"
UNSTORED = "this outcome could not be stored"

DATABASE, LOG, INDEX, LOCK, FOLDER = (*FILES, "queue.db.lock", ".")
ALL = (DATABASE, LOG, INDEX, LOCK, FOLDER)


@dataclass
class Calls:
    """Calls that fail, with what a disk, its file system or the system says."""

    names: str
    errors: tuple
    # How many of them a thread makes at most in such a run, about; and the files that they are made on.
    count: int
    files: tuple
    # Files of which a run's calls come again and again while it sends.
    recurring: tuple = ()


CALLS = (
    Calls("pwrite64", ("EIO", "ENOSPC", "EDQUOT", "EROFS", "EFBIG"), 500, (DATABASE, LOG, LOG, LOG), (LOG,)),
    Calls("fsync,fdatasync", ("EIO", "ENOSPC", "EDQUOT", "EROFS"), 40, (DATABASE, LOG, LOG), (LOG,)),
    Calls("ftruncate", ("EIO", "ENOSPC", "EPERM"), 2, (INDEX, LOCK)),
    Calls("pread64", ("EIO", "ESTALE"), 30, (DATABASE, DATABASE, LOG)),
    Calls("openat", ("EIO", "EACCES", "EMFILE", "ENOSPC", "EROFS"), 4, ALL),
    Calls("unlink", ("EIO", "EROFS"), 1, (LOG, INDEX)),
    Calls("fcntl", ("EIO", "ENOLCK"), 300, (DATABASE, INDEX, INDEX), (INDEX,)),
    Calls("mmap", ("ENOMEM", "ENODEV"), 1, (INDEX,)),
    Calls("?fstat,?newfstatat,?stat,?lstat,?statx", ("EIO", "EACCES", "ESTALE"), 40, (DATABASE, LOG, LOCK), (DATABASE, LOCK)),
)
FIGURES = ("runs", "imports", "rounds that met no error", "that went on", "that stopped (9)", "outcomes in the log alone", "unknown rows")


class Injection:
    """Calls on some of the database's files that fail: once, for a while, or from then on."""

    def __init__(self, rng):
        calls = rng.choice(CALLS)
        self.calls, self.error = calls.names, rng.choice(calls.errors)
        self.names = rng.choice(((rng.choice(calls.files),), ALL))
        first = rng.randint(1, rng.choice((1, 4, calls.count)))
        self.when = rng.choice((f"{first}", f"{first}..{first + rng.randint(1, 30)}", f"{first}+", f"{first}+"))
        self.trace = None

    def __str__(self):
        return f"{self.calls} of {', '.join(self.names)} fail with {self.error}, call {self.when} of a thread"

    def prepare(self, folder):
        """The process alone is ill."""
        self.trace = folder / "trace"

    def wrap(self, words, folder):
        """The command with the failures in it."""
        return [*self.tracer(folder), "--seccomp-bpf", *words]

    def tracer(self, folder):
        """The command that makes calls fail."""
        paths = [word for name in self.names for word in ("-P", str((folder / name).resolve()))]
        inject = f"inject={self.calls}:error={self.error}:when={self.when}"
        return ["strace", "-f", "-qq", "-s", "0", "-o", str(self.trace), *paths, "-e", f"trace={self.calls}", "-e", inject]

    def strike(self, watched, folder, count_received):
        """It is there from the beginning."""

    def in_trouble(self, rng):
        """It heals by itself or never."""

    def heal(self):
        """Only the process was ill."""

    def was_met(self):
        """Whether any call failed."""
        return self.trace.exists() and "(INJECTED)" in self.trace.read_text(encoding="utf-8", errors="replace")


class Dying(Injection):
    """Calls of all threads fail from some moment of a run on, until somebody mends it, or for good."""

    def __init__(self, rng):
        calls = rng.choice([calls for calls in CALLS if calls.recurring])
        self.calls, self.error, self.names = calls.names, rng.choice(calls.errors), calls.recurring
        self.when, self.received = "1+", rng.randint(1, ROWS // 2)
        self.trace, self.strace = None, None

    def __str__(self):
        return f"{self.calls} of {', '.join(self.names)} fail with {self.error}, once {self.received} requests have come"

    def wrap(self, words, folder):
        """The command as it is."""
        return words

    def strike(self, watched, folder, count_received):
        """Waits for the moment."""
        while watched.process.poll() is None and count_received() < self.received:
            time.sleep(0.001)
        words = [*self.tracer(folder), "-p", str(watched.process.pid)]
        self.strace = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def in_trouble(self, rng):
        """Somebody mends it while the run still hopes, or nobody does."""
        if rng.random() < 0.4:
            threading.Timer(rng.uniform(0, 3), self.heal).start()

    def heal(self):
        """Makes no more calls fail."""
        if self.strace is not None:
            self.strace.terminate()
            self.strace.wait()


class Filling:
    """A small file system in memory of which most is taken by something else."""

    def __init__(self, rng):
        # Few are enough to begin with.
        self.left_kib = rng.randint(*rng.choice(((0, 100), (100, 1_500), (100, 1_500), (100, 1_500))))
        self.ballast = None
        self.has_failed = False

    def __str__(self):
        return f"a disk with {self.left_kib} KiB left"

    def prepare(self, folder):
        """Fills it up."""
        self.ballast = folder / "ballast"
        free = os.statvfs(folder)
        length = free.f_bavail * free.f_frsize - self.left_kib * 1024
        with self.ballast.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, max(length, 1))

    def wrap(self, words, folder):
        """The command as it is."""
        return words

    def strike(self, watched, folder, count_received):
        """It is there from the beginning."""

    def in_trouble(self, rng):
        """Somebody makes room while the run still hopes, or nobody does."""
        self.has_failed = True
        if rng.random() < 0.5:
            self.heal()

    def heal(self):
        """Makes room."""
        self.ballast.unlink(missing_ok=True)

    def was_met(self):
        """Whether it was full at any time."""
        return self.has_failed


class Stage:
    """The stand-in, and a queue with an imported campaign that each round copies."""

    def __init__(self, binary, checker, folder, disk):
        self.binary, self.checker, self.folder, self.disk = binary, checker, folder, disk
        folder.mkdir(parents=True)
        (folder / "campaign.csv").write_text(queue.campaign(ROWS), encoding="utf-8")
        self.stand_in = queue.StandIn(binary, folder, "--latency 1ms..8ms")
        self.whole = folder / "whole"
        self.whole.mkdir()
        done = queue.mep(binary, self.whole, self.importing())
        hold(done.returncode == 0, f"the import failed: {done.stderr}")

    def importing(self):
        """The command that imports the campaign."""
        return f"import {self.folder / 'campaign.csv'} --endpoint {self.stand_in.url}"

    def round(self, seed, make_fault):
        """One fault, and everything after it; the figures."""
        rng = random.Random(seed)
        fault = make_fault(rng)
        figures = Counter()
        folder = self.disk / "round"
        begin = self.stand_in.length()
        try:
            if rng.random() < 0.15 and not isinstance(fault, Dying):
                figures["imports"] += 1
                self.import_under(fault, folder, rng, figures)
            else:
                figures["runs"] += 1
                self.run_under(fault, folder, rng, figures, begin)
            self.end(folder, begin, figures)
        except (Failed, subprocess.TimeoutExpired) as why:
            raise Failed(f"--seed {seed} --rounds 1: {fault}: {why}\nits files are in {folder}") from None
        return figures

    def import_under(self, fault, folder, rng, figures):
        """An import leaves the whole batch or none."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        words = queue.words_of(self.binary, folder, self.importing())
        fault.prepare(folder)
        code, said = queue.Watched(fault.wrap(words, folder), folder, lambda *_: None).finish()
        self.hold_ending(code, said, (0, 9), fault, figures)
        fault.heal()
        again = queue.mep(self.binary, folder, self.importing())
        expected = (7,) if code == 0 else (0, 7)
        hold(again.returncode in expected, f"an import that ended with {code}, and again with {again.returncode}: {said}{again.stderr}")

    def run_under(self, fault, folder, rng, figures, begin):
        """A run whose database fails it."""
        queue.copy_queue(self.whole, folder)
        loses_patience = rng.random() < 0.5
        received_in_trouble, impatience = [], []

        def hears(watched, line):
            is_in_trouble = TROUBLE in line and not received_in_trouble
            if is_in_trouble:
                received_in_trouble.append(len(self.stand_in.since(begin)))
                fault.in_trouble(rng)
            # A lock that cannot be had is taken for another process's, which is waited for until somebody loses patience.
            if not impatience and (WAITS in line or (loses_patience and is_in_trouble)):
                impatience.append(Impatience(watched.process.pid))

        fault.prepare(folder)
        watched = queue.Watched(fault.wrap(queue.words_of(self.binary, folder, RUN), folder), folder, hears)
        fault.strike(watched, folder, lambda: len(self.stand_in.since(begin)))
        code, said = watched.finish()
        self.hold_ending(code, said, (0, 4, 9), fault, figures)
        fault.heal()
        receipts = [json.loads(line) for line in self.stand_in.since(begin)]
        if received_in_trouble:
            hold(code == 9, f"a run whose database failed it ended with {code}: {said}")
            allowed = received_in_trouble[0] + CONCURRENCY
            hold(len(receipts) <= allowed, f"{len(receipts)} requests, of which no more than {allowed} may be: {said}")
        stored = {found for (found,) in queue.read(folder, "SELECT request_id FROM attempt")}
        lost = [receipt["requestId"] for receipt in receipts if receipt["requestId"] not in stored and not is_told(receipt, said)]
        # Who interrupts twice abandons what is in flight.
        has_abandoned = any([interrupts.were_two() for interrupts in impatience])
        hold(len(lost) <= (CONCURRENCY if has_abandoned else 0), f"answered, and neither stored nor in the log: {lost}: {said}")
        figures["outcomes in the log alone"] += said.count(UNSTORED)

    def hold_ending(self, code, said, codes, fault, figures):
        """How it may end."""
        hold(code in codes, f"it ended with {code}: {said}")
        hold("panicked" not in said, said)
        hold(code != 9 or "hint:" in said, f"the error does not say what to do: {said}")
        if isinstance(fault, Filling):
            fault.has_failed = code == 9
        figures["rounds that met no error"] += not fault.was_met()
        figures["that stopped (9)"] += code == 9
        figures["that went on"] += fault.was_met() and code != 9

    def end(self, folder, begin, figures):
        """One run on a disk that is well, and the verdict on all of it."""
        done = queue.mep(self.binary, folder, RUN)
        hold(done.returncode in (0, 4), f"the run after it ended with {done.returncode}: {done.stderr}")
        states = dict(queue.read(folder, "SELECT state, count(*) FROM invocation GROUP BY state"))
        unknown = states.pop("unknown", 0)
        hold(set(states) <= {"accepted"}, f"rows are left: {states}")
        hold(unknown <= CONCURRENCY, f"{unknown} rows are unknown after one run that failed")
        figures["unknown rows"] += unknown
        queue.judge(self.checker, folder, self.stand_in.since(begin), self.folder / "campaign.csv", ROWS)


# The row of each number.
LINES = {queue.phone(person): person + 2 for person in range(ROWS)}


def is_told(receipt, said):
    """Whether one line of the log tells what came of a request: that it is not stored, the row's line and the request ID."""
    words = {UNSTORED, f" line={LINES[receipt['phoneNumber']]} ", receipt["requestId"]}
    return any(all(word in line for word in words) for line in said.splitlines())


class Impatience:
    """Somebody who interrupts the program twice: the tracer's child, or the process itself."""

    def __init__(self, tracer):
        self._children = Path(f"/proc/{tracer}/task/{tracer}/children")
        self._tracer, self._sent = tracer, 0
        self._thread = threading.Thread(target=self._interrupt, daemon=True)
        self._thread.start()

    def _interrupt(self):
        for _ in range(2):
            try:
                pid = int((self._children.read_text(encoding="utf-8").split() or [self._tracer])[0])
                os.kill(pid, signal.SIGINT)
            except (OSError, ValueError):
                return  # it has ended
            self._sent += 1
            time.sleep(0.3)

    def were_two(self):
        """Whether it was still there for the second one."""
        self._thread.join()
        return self._sent == 2


def injected(rounds, minutes, seed):
    """The part whose system calls fail."""
    queue.need("strace")
    return held("disk", lambda rng: rng.choice((Injection, Dying))(rng), rounds, minutes, seed, lambda folder: folder)


def filled(rounds, minutes, seed):
    """The part whose disk fills up. Mounts small file systems, so it is root's alone."""
    hold(os.geteuid() == 0, "mounting a small file system needs root: `unshare --map-root-user --mount python3 tests/full.py full-disk`")
    mounted = []

    def mount(folder):
        disk = folder / "mounted"
        disk.mkdir()
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m,mode=700", "tmpfs", str(disk)], capture_output=True, text=True)
        hold(done.returncode == 0, f"a small file system cannot be mounted here: {done.stderr}")
        mounted.append(disk)
        return disk

    try:
        return held("full-disk", Filling, rounds, minutes, seed, mount)
    finally:
        for disk in mounted:
            subprocess.run(["umount", str(disk)], check=False)


def held(name, make_fault, rounds, minutes, seed, place):
    """Does the rounds, several at once, each with its own chance."""
    binary, checker = program(), Checker()
    folder = queue.folder_of(f"{name}-work")
    began, first = time.monotonic(), random.randrange(1 << 32) if seed is None else seed
    stages, lock, left = [], threading.Lock(), iter(range(first, first + rounds))
    figures, failures = Counter({figure: 0 for figure in FIGURES}), []

    def work(number):
        stage_folder = folder / str(number)
        stage = Stage(binary, checker, stage_folder, None)
        stage.disk = place(stage_folder)
        stages.append(stage)
        done = 0
        while not failures and time.monotonic() - began < minutes * 60:
            with lock:
                seed_of_round = next(left, None)
            if seed_of_round is None:
                break
            try:
                found = stage.round(seed_of_round, make_fault)
            except Failed as why:
                failures.append(why)
                break
            with lock:
                figures.update(found)
            done += 1
        return done

    try:
        at_once = min(AT_ONCE, rounds)
        with ThreadPoolExecutor(at_once) as pool:
            done = sum(pool.map(work, range(at_once)))
    finally:
        for stage in stages:
            stage.stand_in.__exit__()
    if failures:
        raise failures[0]
    shutil.rmtree(folder, ignore_errors=True)
    return Found(done, rounds, time.monotonic() - began, f"{first}…{first + max(done - 1, 0)}", dict(figures))
