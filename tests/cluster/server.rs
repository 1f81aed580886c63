//! A throw-away server: created, started, stopped, and gone with the process that made it.

use std::fmt::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::account::Account;
use super::binaries::Binaries;

/// A socket's path has to be shorter than 108 bytes, and its name is some twenty of them.
const FOLDER_LENGTH_MAX: usize = 80;

/// The longest that the server takes to start or to stop, on a machine that is busy with other things too.
const PATIENCE_SECONDS: &str = "120";

/// Small, but as durable as any: what is committed is on the disk.
const SETTINGS: [(&str, &str); 5] = [
    ("fsync", "on"),
    ("shared_buffers", "16MB"),
    ("max_connections", "200"),
    ("log_line_prefix", "%m [%p] %a "),
    ("client_min_messages", "warning"),
];

/// Waits until its stdin ends, which it does when whoever started it drops the pipe or dies, and clears up.
const WATCH: &str = r#"trap '' INT TERM HUP
cat >/dev/null
"$1" stop -D "$2/data" -m immediate -w >/dev/null 2>&1
rm -rf "$2""#;

/// A server in a folder of its own, with a watcher that ends it.
pub(super) struct Server {
    binaries: Binaries,
    account: Account,
    folder: PathBuf,
    port: Option<String>,
    watcher: Child,
}

impl Server {
    /// Makes the folder and the files of a server that is not started yet.
    pub(super) fn create(binaries: Binaries, settings: &[(&str, &str)], files: &[(&str, &str)]) -> Server {
        let account = Account::find();
        let folder = folder(account);
        // Before anything is in the folder, so that whatever comes of it is cleared up.
        let watcher = watch(&binaries, account, &folder);
        let port = settings.iter().find(|(name, _)| *name == "port").map(|(_, port)| (*port).to_owned());
        let server = Server { binaries, account, folder, port, watcher };
        server.initialize();
        server.configure(settings);
        for (name, content) in files {
            server.write(name, content);
        }
        server
    }

    pub(super) fn start(&self) {
        let log = self.folder.join("log");
        let mut command = self.command("pg_ctl");
        command.args(["start", "-w", "-t", PATIENCE_SECONDS, "-D"]).arg(self.data()).arg("-l").arg(log);
        self.does(&mut command);
    }

    pub(super) fn stop_immediate(&self) {
        let mut command = self.command("pg_ctl");
        command.args(["stop", "-w", "-t", PATIENCE_SECONDS, "-m", "immediate", "-D"]).arg(self.data());
        self.does(&mut command);
    }

    pub(super) fn socket_folder(&self) -> &Path {
        &self.folder
    }

    /// The number that the socket's name ends in, whether there is a port of TCP or not.
    pub(super) fn port(&self) -> &str {
        self.port.as_deref().unwrap_or("5432")
    }

    pub(super) fn log(&self) -> String {
        let log = std::fs::read(self.folder.join("log")).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }

    /// Sorts as people's servers do, by a language's rules and not by bytes, where the build can.
    fn initialize(&self) {
        let help = self.does(self.command("initdb").arg("--help"));
        let mut command = self.command("initdb");
        command.args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]);
        if help.contains("--icu-locale") {
            command.args(["--locale-provider=icu", "--icu-locale=en"]);
        }
        self.does(command.arg("-D").arg(self.data()));
    }

    fn configure(&self, settings: &[(&str, &str)]) {
        let address = if self.port.is_some() { "127.0.0.1" } else { "" };
        let folder = self.folder.to_str().expect("the name of a temporary folder is text");
        let mut lines = format!("listen_addresses = '{address}'\nunix_socket_directories = '{folder}'\n");
        for (name, value) in SETTINGS.iter().chain(settings) {
            writeln!(lines, "{name} = '{value}'").expect("a text can be written to");
        }
        self.write("postgresql.auto.conf", &lines);
    }

    /// Writes a file that is the server's alone, as it asks of a key.
    pub(super) fn write(&self, name: &str, content: &str) {
        let path = self.data().join(name);
        std::fs::write(&path, content).expect("a file of the server can be written");
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).expect("a mode");
        self.account.own(&path);
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn command(&self, program: &str) -> Command {
        let mut command = self.account.command(&self.binaries.path(program));
        command.current_dir(&self.folder).stdin(Stdio::null()).env("LC_ALL", "C");
        command
    }

    /// What the command says; it has to succeed.
    fn does(&self, command: &mut Command) -> String {
        let done = command.output().expect("a program of PostgreSQL can be started");
        let said = String::from_utf8_lossy(&done.stdout).into_owned();
        let error = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{command:?}: {}\n{said}{error}{}", done.status, self.log());
        said
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.watcher.stdin.take());
        let _ = self.watcher.wait(); // what it could not clear up is no reason to fail
    }
}

/// A folder that is the account's alone, at a place that is short enough for a socket's path.
fn folder(account: Account) -> PathBuf {
    let usual = std::env::temp_dir();
    let place = if usual.as_os_str().len() < FOLDER_LENGTH_MAX - 20 { usual } else { PathBuf::from("/tmp") };
    let folder = tempfile::Builder::new().prefix("mep-batch-pg-").tempdir_in(place).expect("a folder").keep();
    account.own(&folder);
    folder
}

fn watch(binaries: &Binaries, account: Account, folder: &Path) -> Child {
    let mut command = account.command(Path::new("/bin/sh"));
    command.args(["-c", WATCH, "watch"]).arg(binaries.path("pg_ctl")).arg(folder);
    // A group of its own, so that a signal from the terminal does not end it before its work is done.
    command.current_dir("/").process_group(0);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("a shell can be started")
}
