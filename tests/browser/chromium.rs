//! Debian's Chromium without a window, driven through its DevTools protocol over two named pipes.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use serde_json::{Value, json};
use tempfile::TempDir;

/// How long an answer may take on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// The program, where it is installed.
pub(crate) fn program() -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?).map(|folder| folder.join("chromium")).find(|file| file.is_file())
}

/// A running browser; ends when it is dropped.
pub(crate) struct Chromium {
    child: Child,
    commands: File,
    answers: Receiver<Value>,
    events: VecDeque<Value>,
    last_id: u64,
    _folder: TempDir,
}

impl Chromium {
    /// Starts one of its own: with a new profile, and with nothing that it would ask the network for by itself.
    pub(crate) fn start() -> Chromium {
        let folder = tempfile::tempdir().expect("a folder");
        let pipe = |name: &str| {
            let path = folder.path().join(name);
            mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("a named pipe");
            path
        };
        let (commands, answers) = (pipe("commands"), pipe("answers"));
        let child = Command::new("sh")
            .args(["-c", r#"exec "$0" "$@" 3<"$COMMANDS" 4>"$ANSWERS""#])
            .arg(program().expect("only asked for where it is installed"))
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--disable-quic",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--hide-scrollbars",
                "--remote-debugging-pipe",
            ])
            .arg(format!("--user-data-dir={}", folder.path().join("profile").display()))
            .arg("about:blank")
            .env("COMMANDS", &commands)
            .env("ANSWERS", &answers)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a shell");
        let commands = File::options().write(true).open(commands).expect("its commands");
        let answers = read(&answers);
        Chromium { child, commands, answers, events: VecDeque::new(), last_id: 0, _folder: folder }
    }

    /// Opens a page of its own, with no cookie of another's.
    pub(crate) fn page(&mut self) -> String {
        let context = self.call("", "Target.createBrowserContext", json!({}));
        let target = self.call(
            "",
            "Target.createTarget",
            json!({ "url": "about:blank", "browserContextId": context["browserContextId"] }),
        );
        let attached =
            self.call("", "Target.attachToTarget", json!({ "targetId": target["targetId"], "flatten": true }));
        attached["sessionId"].as_str().expect("a session").to_owned()
    }

    /// Asks for something, and waits for the answer; events that come meanwhile are kept.
    pub(crate) fn call(&mut self, page: &str, method: &str, parameters: Value) -> Value {
        self.last_id += 1;
        let mut command = json!({ "id": self.last_id, "method": method, "params": parameters });
        if !page.is_empty() {
            command["sessionId"] = page.into();
        }
        let mut bytes = command.to_string().into_bytes();
        bytes.push(0);
        self.commands.write_all(&bytes).expect("the browser lives");
        loop {
            let mut answer = self.answers.recv_timeout(PATIENCE).expect("an answer of the browser");
            if answer["id"] == self.last_id {
                assert!(answer["error"].is_null(), "{method}: {}", answer["error"]);
                return answer["result"].take();
            }
            self.events.push_back(answer);
        }
    }

    /// What has happened on a page since this was asked last, oldest first: each event's name and figures.
    pub(crate) fn events(&mut self, page: &str) -> Vec<(String, Value)> {
        self.events.extend(self.answers.try_iter());
        let (of_page, others) = self.events.drain(..).partition(|event| event["sessionId"] == page);
        self.events = others;
        let named =
            |mut event: Value| (event["method"].as_str().unwrap_or_default().to_owned(), event["params"].take());
        VecDeque::into_iter(of_page).map(named).collect()
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        // It has ended by itself where this fails.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads what the browser says, each a text that ends with a zero byte.
fn read(path: &Path) -> Receiver<Value> {
    let file = File::open(path).expect("its answers");
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for text in BufReader::new(file).split(0) {
            let Ok(text) = text else { break };
            let value = serde_json::from_slice(&text).expect("JSON of the browser");
            if sender.send(value).is_err() {
                break;
            }
        }
    });
    receiver
}
