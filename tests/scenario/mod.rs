//! Scenarios: a folder of their own, the real program in it, and the real stand-in; everything bounded in time.
#![expect(dead_code, reason = "each file of tests uses a part of it")]

mod process;
mod queue;
pub(crate) mod sending;
mod simulator;
mod terminal;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

pub(crate) use process::{Done, Running, until};
pub(crate) use simulator::Simulator;
pub(crate) use terminal::Terminal;

use crate::audit::{Audit, Input};
use crate::cluster::{Cluster, Database};
use queue::Queue;

/// The service of every campaign that is written here.
pub(crate) const SERVICE: &str = "0123456789ABCDEF";

/// The database, by its name in the folder.
const DATABASE: &str = "queue.db";

/// The names of what came of a row, after the mapped columns.
pub(crate) const RESULTS: [&str; 10] =
    ["line", "state", "requestId", "httpStatus", "code", "message", "refusedBy", "attempts", "sentAt", "finishedAt"];

/// The states, in the order of their names.
pub(crate) const STATES: [&str; 8] =
    ["accepted", "cancelled", "failed", "pending", "rejected", "sending", "skipped", "unknown"];

/// A backup of a scenario's database: the path or the URL of another one.
pub(crate) struct Backup(String);

impl Backup {
    /// Runs the program on the backup itself, as the same user.
    pub(crate) fn mep(&self, s: &Scenario, line: &str) -> Done {
        self.start(s, line).finish()
    }

    /// Likewise, and lets it run.
    pub(crate) fn start(&self, s: &Scenario, line: &str) -> Running {
        Running::start(s.command_without_database(line).env("MEP_BATCH_DB", &self.0), b"")
    }

    /// The first column of what a query finds in it.
    pub(crate) fn query(&self, s: &Scenario, sql: &str) -> Vec<String> {
        s.queue.query(&self.0, sql)
    }

    /// Does something while nobody else can write into it, which is a file.
    pub(crate) fn hold<T>(&self, does: impl FnOnce(&Backup) -> T) -> T {
        queue::hold(&self.0, || does(self))
    }
}

/// A folder in which the program is run, and a database: a file in it, or one of a server's.
pub(crate) struct Scenario {
    folder: TempDir,
    queue: Queue,
    simulators: Cell<u32>,
    /// All that was written here, also what was written over since.
    written: RefCell<Vec<Input>>,
}

impl Scenario {
    /// With a file of SQLite, which the program has yet to make.
    pub(crate) fn new() -> Scenario {
        Scenario::with(Queue::File)
    }

    /// With a database that is the scenario's alone, and empty.
    pub(crate) fn on(database: Database) -> Scenario {
        match database {
            Database::Sqlite => Scenario::new(),
            Database::Postgres => Scenario::with(Queue::of(Cluster::shared(), Cluster::database)),
        }
    }

    /// With the database at a URL of PostgreSQL.
    pub(crate) fn at(url: String) -> Scenario {
        Scenario::with(Queue::Server(url, None))
    }

    /// Another one with the same files and the same rows; nothing may be alive in this one.
    pub(crate) fn copy(&self) -> Scenario {
        let copy = Scenario::with(self.queue.copy());
        copy.written.replace(self.written.borrow().clone());
        for (path, content) in self.files() {
            let name = path.strip_prefix(self.folder()).expect("a file of the folder");
            std::fs::create_dir_all(copy.folder().join(name).parent().expect("a folder")).expect("a folder");
            copy.write(name.to_str().expect("a name of a test"), content);
        }
        copy
    }

    /// A backup of the database as it is now.
    pub(crate) fn back_up(&self) -> Backup {
        let file = self.path(&format!("backup-{:08x}.db", fastrand::u32(..)));
        Backup(self.queue.back_up(&self.address(), file.to_str().expect("a name of a test")))
    }

    /// Puts a backup in the database's place. Nothing may be alive.
    pub(crate) fn put_back(&self, backup: Backup) {
        self.queue.put_back(&self.address(), &backup.0);
    }

    fn with(queue: Queue) -> Scenario {
        let folder = tempfile::Builder::new().prefix("mep-batch-").tempdir().expect("a folder");
        Scenario { folder, queue, simulators: Cell::new(0), written: RefCell::default() }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder().join(name)
    }

    /// The file that is the database.
    #[track_caller]
    pub(crate) fn database(&self) -> PathBuf {
        assert!(matches!(self.queue, Queue::File), "the database is no file");
        self.path(DATABASE)
    }

    /// The database's path or URL.
    pub(crate) fn address(&self) -> String {
        match &self.queue {
            Queue::File => self.path(DATABASE).to_str().expect("the name of a temporary folder is text").to_owned(),
            Queue::Server(url, _) => url.clone(),
        }
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> &Scenario {
        std::fs::write(self.path(name), &content).expect("a file in the folder can be written");
        if is_input(name) {
            self.written.borrow_mut().push(Input::new(Path::new(name), content.as_ref().to_vec()));
        }
        self
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).expect("the file can be read")
    }

    /// Writes `campaign.csv`, with that many rows to as many people.
    pub(crate) fn campaign(&self, rows: u32) -> &Scenario {
        self.write("campaign.csv", campaign(0..rows))
    }

    /// Waits until a query finds this.
    #[track_caller]
    pub(crate) fn until_stored(&self, sql: &str, found: &str) {
        until(sql, || self.query(sql) == [found]);
    }

    /// Runs the program to its end. The words of the line are its arguments.
    pub(crate) fn mep(&self, line: &str) -> Done {
        self.start(line).finish()
    }

    /// Likewise, with arguments that hold white space.
    pub(crate) fn mep_args(&self, arguments: &[&str]) -> Done {
        let mut command = self.command("");
        command.args(arguments);
        Running::start(&mut command, b"").finish()
    }

    /// Starts the program and lets it run.
    pub(crate) fn start(&self, line: &str) -> Running {
        Running::start(&mut self.command(line), b"")
    }

    /// Starts the program on a terminal of 80 columns.
    pub(crate) fn terminal(&self, line: &str) -> Terminal {
        Terminal::start(&self.command(line))
    }

    /// The program with a clean environment, in the folder and with its database.
    pub(crate) fn command(&self, line: &str) -> Command {
        let mut command = self.command_without_database(line);
        // Not by a flag: it would be in each command that the program tells, and a password is refused in one.
        let address = match &self.queue {
            Queue::File => DATABASE,
            Queue::Server(url, _) => url,
        };
        command.env("MEP_BATCH_DB", address);
        command
    }

    pub(crate) fn command_without_database(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mep-batch"));
        command
            .args(line.split_whitespace())
            .current_dir(self.folder())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.folder())
            .env("XDG_DATA_HOME", self.path("data"))
            .env("XDG_CONFIG_HOME", self.path("config"))
            .env("USER", "operator");
        command
    }

    /// Starts the stand-in on a port of its own, with receipts.
    pub(crate) fn simulate(&self, flags: &str) -> Simulator {
        self.simulate_at("http://127.0.0.1:0", flags)
    }

    /// Likewise, where another one was.
    pub(crate) fn simulate_at(&self, url: &str, flags: &str) -> Simulator {
        let address = url.trim_start_matches("http://");
        let number = self.simulators.replace(self.simulators.get() + 1);
        let receipts = format!("receipts-{number}.ndjson");
        let line = format!("simulate --listen {address} --json --seed 2 --receipts {receipts} {flags}");
        Simulator::start(&mut self.command_without_database(&line), self.path(&receipts))
    }

    /// The rows by state, over all batches: `5 accepted, 1 unknown`.
    pub(crate) fn states(&self) -> String {
        let rows = self.query("SELECT count(*) || ' ' || state FROM invocation GROUP BY state ORDER BY state");
        rows.join(", ")
    }

    /// The first column of what a query finds, as text; a truth value is 1 or 0.
    pub(crate) fn query(&self, sql: &str) -> Vec<String> {
        self.queue.query(&self.address(), sql)
    }

    /// Changes the database behind the program's back.
    pub(crate) fn execute(&self, sql: &str) {
        self.queue.execute(&self.address(), sql);
    }

    /// Holds everything that is stored against everything that was received; nothing is alive any more.
    #[track_caller]
    pub(crate) fn audit(&self, rows: u64) {
        self.audit_with(rows, true, None);
    }

    /// Likewise, with no more unknown rows than kills and faults explain.
    #[track_caller]
    pub(crate) fn audit_unknown(&self, rows: u64, unknown_max: usize) {
        self.audit_with(rows, true, Some(unknown_max));
    }

    /// Likewise, with a run alive or just killed.
    #[track_caller]
    pub(crate) fn audit_unsettled(&self, rows: u64) {
        self.audit_with(rows, false, None);
    }

    /// Likewise, after runs by another clock than the stand-in's.
    #[track_caller]
    pub(crate) fn audit_of_other_clock(&self, rows: u64) {
        self.holds(&Audit { is_one_clock: false, ..self.audit_of(rows) });
    }

    #[track_caller]
    fn audit_with(&self, rows: u64, is_settled: bool, unknown_max: Option<usize>) {
        self.holds(&Audit { is_settled, unknown_max, ..self.audit_of(rows) });
    }

    fn audit_of(&self, rows: u64) -> Audit {
        let receipts = (0..self.simulators.get()).map(|n| self.path(&format!("receipts-{n}.ndjson")));
        Audit {
            receipts: Some(receipts.collect()),
            files: self.inputs(),
            rows: Some(rows),
            ..Audit::of(self.address())
        }
    }

    #[track_caller]
    fn holds(&self, audit: &Audit) {
        let violations = audit.violations();
        assert!(violations.is_empty(), "{}\n{}", violations.join("\n"), audit.summary().join("\n"));
    }

    /// The files that a batch may have been made of: what was written here, what the program itself has
    /// written, and the samples.
    pub(crate) fn inputs(&self) -> Vec<Input> {
        let mut inputs = self.written.borrow().clone();
        for folder in [self.folder(), &sample("")] {
            for entry in std::fs::read_dir(folder).expect("a folder") {
                let path = entry.expect("an entry").path();
                if path.is_file() && is_input(&path.to_string_lossy()) {
                    inputs.push(Input::new(&path, std::fs::read(&path).expect("a file")));
                }
            }
        }
        inputs
    }

    /// The content of every file in the folder, by its path.
    pub(crate) fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut files = BTreeMap::new();
        let mut folders = vec![self.folder().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).expect("a folder") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let content = std::fs::read(&path).expect("a file");
                    files.insert(path, content);
                }
            }
        }
        files
    }
}

/// Whether a file of that name may be imported, and is no receipts.
fn is_input(name: &str) -> bool {
    let is_of_rows =
        Path::new(name).extension().is_some_and(|ending| ["csv", "json", "ndjson"].iter().any(|of| ending == *of));
    is_of_rows && !name.contains("receipts-")
}

/// Campaign rows for these people; numbers of the fictional 555-01 exchange, in as many areas as it takes.
pub(crate) fn campaign(people: std::ops::Range<u32>) -> String {
    let mut text = "serviceId,phoneNumber,session.seatLocation\n".to_owned();
    for person in people {
        text.push_str(&format!("{SERVICE},{},{person}A\n", phone(person)));
    }
    text
}

/// A fictional person's number: 1 and ten digits.
pub(crate) fn phone(person: u32) -> String {
    format!("1{}55501{:02}", 200 + person / 100, person % 100)
}

/// What a command has for its environment, for another that starts it.
pub(crate) fn environment(command: &Command) -> impl Iterator<Item = (&OsStr, &OsStr)> {
    command.get_envs().filter_map(|(name, value)| Some((name, value?)))
}

/// A sample of the repository.
pub(crate) fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("samples").join(name)
}
