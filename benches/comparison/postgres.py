"""The line about PostgreSQL: a private server in the scratch folder, as durable as it comes."""

import os
import pwd
import subprocess
import time
from pathlib import Path

from . import rows, sending
from .table import Line, Missing
from .work import Failed, side_by_side

# Where Debian and its kin install each major version.
VERSIONS = Path("/usr/lib/postgresql")
NEEDED = ("initdb", "postgres", "psql")
# PostgreSQL refuses to run as root.
UNPRIVILEGED = ("postgres", "nobody", "daemon")
PATIENCE_SECONDS = 60
IN_FLIGHT = 256
# What takes fewer bytes a row does not grow with the rows.
BYTES_MIN = 8
WHAT = f"PostgreSQL on the same machine / SQLite, {IN_FLIGHT} in flight, 0 ms"


def against_sqlite(work):
    if not programs():
        return Missing(WHAT, "PostgreSQL is not installed")
    account = unprivileged()
    if subprocess.run(["test", "-x", work.folder], **account).returncode:
        return Missing(WHAT, f"the account that it runs as cannot get to `{work.folder.parent}`; choose another --scratch")
    simulator = work.simulator("0ms")
    server = work.once("server", lambda: Server(work, account))
    count = work.sizes.at_0ms
    imported = server.url("imported")
    server.sql("CREATE DATABASE imported")
    empty, before = server.size("imported"), server.written()
    cost = rows.fill(work, imported, count, simulator)
    facts = {
        "import: rows a second": count / cost.seconds,
        "import: bytes of WAL a row": (server.written() - before) / count,
        "on disk after the import: bytes a row": (server.size("imported") - empty) / count,
    }

    def on_server():
        server.sql("DROP DATABASE IF EXISTS fresh", "CREATE DATABASE fresh TEMPLATE imported", "CHECKPOINT")
        work.forget_notes()
        os.sync()
        before, database, wal = simulator.cpu_seconds(), server.cpu_seconds(), server.written()
        # A copy is a database of another history.
        cost = work.tool(server.url("fresh"), "run", "b", "--concurrency", IN_FLIGHT, "--accept-history")
        found = sending.figures(count, cost.seconds, cost, simulator.cpu_seconds() - before)
        found["server µs"] = (server.cpu_seconds() - database) / count * 1e6
        facts["sending: bytes of WAL a row"] = (server.written() - wal) / count
        facts["on disk after the sending: bytes a row"] = (server.size("fresh") - empty) / count
        return found

    found = side_by_side(
        work.long_rounds,
        {
            "mep-batch run on SQLite": lambda: sending.durable(work, simulator, count, IN_FLIGHT),
            "mep-batch run on PostgreSQL": on_server,
        },
    )
    ours, theirs = found["mep-batch run on PostgreSQL"], found["mep-batch run on SQLite"]
    told = note(facts, server.largest("fresh", count))
    return Line.of_two(WHAT, ours["a second"], theirs["a second"], "/s", 0.35, 0.6, costs=found, note=told)


def note(facts, largest):
    """What a row takes on PostgreSQL, as a table."""
    head = "What a row takes on PostgreSQL:\n\n| | |\n|---|---|"
    sizes = [f"| on disk after the sending: `{name}`, bytes a row | {size:,.0f} |" for name, size in largest]
    return "\n".join([head, *(f"| {what} | {figure:,.0f} |" for what, figure in facts.items()), *sizes])


def programs():
    """The folder of the newest version's programs."""
    versions = sorted(VERSIONS.glob("[0-9]*"), key=lambda folder: int(folder.name), reverse=True)
    found = [folder / "bin" for folder in versions] + [Path(folder) for folder in os.get_exec_path()]
    return next((folder for folder in found if all((folder / name).is_file() for name in NEEDED)), None)


def unprivileged():
    """Who it runs as where this is root: as arguments of a process."""
    if os.geteuid() != 0:
        return {}
    account = next(user for name in UNPRIVILEGED for user in pwd.getpwall() if user.pw_name == name)
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def version():
    folder = programs()
    return folder and subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True).stdout.strip()


class Server:
    """A server in a folder of its own, on a Unix socket alone, with the settings that it comes with."""

    def __init__(self, work, account):
        self.work, self.programs = work, programs()
        # The path of a socket has to be short.
        self.folder = work.path("pg")
        self.data = self.folder / "data"
        self.folder.mkdir()
        if account:
            os.chown(self.folder, account["user"], account["group"])
        options = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-sync", "-D", self.data]
        done = subprocess.run(
            [self.programs / "initdb", *options], capture_output=True, text=True, cwd=self.folder, **account
        )
        if done.returncode:
            raise Failed(f"initdb failed:\n{done.stderr}")
        command = [self.programs / "postgres", "-D", self.data, "-k", self.folder, "-c", "listen_addresses="]
        with open(work.path("postgres.log"), "a") as log:
            self.child = work.start(command, cwd=self.folder, stdout=log, stderr=log, **account)
        self.wait()

    def wait(self):
        until = time.monotonic() + PATIENCE_SECONDS
        while subprocess.run(self.psql("SELECT 1"), capture_output=True).returncode:
            if time.monotonic() > until:
                raise Failed(f"the server did not start:\n{self.work.path('postgres.log').read_text()}")
            time.sleep(0.1)

    def url(self, database):
        return f"postgres://postgres@localhost/{database}?host={str(self.folder).replace('/', '%2F')}"

    def psql(self, *statements, database="postgres"):
        commands = [part for statement in statements for part in ("-c", statement)]
        place = ["-h", self.folder, "-U", "postgres", "-d", database]
        return [self.programs / "psql", "-X", "-q", "-At", *place, *commands]

    def sql(self, *statements, database="postgres"):
        """Runs each statement by itself; what they say."""
        done = subprocess.run(self.psql(*statements, database=database), capture_output=True, text=True)
        if done.returncode:
            raise Failed(f"PostgreSQL: {done.stderr}")
        return done.stdout

    def size(self, database):
        """Bytes of a database on the disk."""
        return int(self.sql(f"SELECT pg_database_size('{database}')"))

    def written(self):
        """Bytes of write-ahead log since ever."""
        return int(self.sql("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint"))

    def largest(self, database, count):
        """The tables and indexes that grow with the rows, and by how many bytes for each."""
        sizes = """SELECT relname, pg_relation_size(oid) FROM pg_class
            WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'i') ORDER BY 2 DESC"""
        lines = (line.split("|") for line in self.sql(sizes, database=database).splitlines())
        return [(name, int(size) / count) for name, size in lines if int(size) > BYTES_MIN * count]

    def cpu_seconds(self):
        """What the server and its processes, also those that have ended, have used."""
        # One that is just ending is in neither sum.
        clients = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        while int(self.sql(clients)):
            time.sleep(0.1)
        tick, used = os.sysconf("SC_CLK_TCK"), 0
        for path in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = path.read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if path.parent.name == str(self.child.pid):
                used += sum(map(int, fields[11:15]))
            elif fields[1] == str(self.child.pid):
                used += sum(map(int, fields[11:13]))
        return used / tick
