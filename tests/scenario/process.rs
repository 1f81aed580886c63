//! A process of the program: what it says, how it ends, and that it ends.

use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// The longest that any process here takes, on a machine that is busy with other things too.
const PATIENCE: Duration = Duration::from_secs(240);
const STEP: Duration = Duration::from_millis(2);

/// A process that has ended.
#[derive(Debug)]
pub(crate) struct Done {
    /// The exit code, or 128 and the signal's number.
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Done {
    /// Asserts how it ended.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Done {
        assert_eq!(self.code, code, "{}\n{}", self.stdout, self.stderr);
        self
    }

    /// Asserts that it said these words on stderr.
    #[track_caller]
    pub(crate) fn says(self, words: &str) -> Done {
        assert!(self.stderr.contains(words), "`{words}` is not in:\n{}", self.stderr);
        self
    }

    /// The last line of stdout as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        let last = self.stdout.lines().last().unwrap_or_default();
        serde_json::from_str(last).unwrap_or_else(|error| unreachable!("{error} in `{}`\n{}", last, self.stderr))
    }

    /// Every line of stdout as JSON.
    pub(crate) fn json_lines(&self) -> Vec<Value> {
        self.stdout.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
    }

    /// All that it said.
    pub(crate) fn output(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }
}

/// A process that may be alive; killed when it is dropped.
pub(crate) struct Running {
    child: Child,
    stdout: Stream,
    stderr: Stream,
}

impl Running {
    pub(crate) fn start(command: &mut Command, input: &[u8]) -> Running {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program can be started");
        let stdout = Stream::gather(child.stdout.take().expect("a pipe"));
        let stderr = Stream::gather(child.stderr.take().expect("a pipe"));
        // It may end without reading its input.
        let _ = child.stdin.take().expect("a pipe").write_all(input);
        Running { child, stdout, stderr }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn send(&self, signal: Signal) {
        let pid = Pid::from_raw(self.pid().cast_signed()).expect("a process");
        kill_process(pid, signal).expect("a child can be sent a signal");
    }

    /// Whether it has ended by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("a child can be waited for").is_some()
    }

    /// Waits until it ends by itself.
    #[track_caller]
    pub(crate) fn finish(mut self) -> Done {
        let status = self.wait();
        let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).expect("it has ended");
        Done { code, stdout: self.stdout.end(), stderr: self.stderr.end() }
    }

    /// Kills it as a power cut would end it.
    pub(crate) fn kill(mut self) -> Done {
        let _ = self.child.kill(); // it may have ended
        self.finish()
    }

    /// Waits until it has said these words on stderr.
    #[track_caller]
    pub(crate) fn until_it_says(&self, words: &str) {
        until(words, || self.stderr.so_far().contains(words));
    }

    /// Waits until it has said these words on stderr, or has ended; whether it has said them.
    #[track_caller]
    pub(crate) fn until_it_says_or_ends(&mut self, words: &str) -> bool {
        until(words, || self.stderr.so_far().contains(words) || self.has_ended());
        self.stderr.so_far().contains(words)
    }

    /// The first line of its stdout.
    #[track_caller]
    pub(crate) fn first_line(&self) -> String {
        until("a first line", || self.stdout.so_far().contains('\n'));
        self.stdout.so_far().lines().next().unwrap_or_default().to_owned()
    }

    #[track_caller]
    fn wait(&mut self) -> ExitStatus {
        let mut ended = None;
        let began = Instant::now();
        while ended.is_none() && began.elapsed() < PATIENCE {
            std::thread::sleep(STEP);
            ended = self.child.try_wait().expect("a child can be waited for");
        }
        let said = self.stderr.so_far();
        ended.unwrap_or_else(|| unreachable!("process {} goes on and on; it said: {said}", self.pid()))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill(); // it may have ended
        let _ = self.child.wait();
    }
}

/// Waits until something is so.
#[track_caller]
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "waited in vain for: {what}");
        std::thread::sleep(STEP);
    }
}

/// What comes out of one pipe.
struct Stream {
    text: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
}

impl Stream {
    fn gather(mut pipe: impl Read + Send + 'static) -> Stream {
        let text = Arc::new(Mutex::new(Vec::new()));
        let gathered = Arc::clone(&text);
        let reader = std::thread::spawn(move || {
            let mut chunk = [0; 8192];
            while let Ok(length) = pipe.read(&mut chunk) {
                if length == 0 {
                    break;
                }
                gathered.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&chunk[..length]);
            }
        });
        Stream { text, reader: Some(reader) }
    }

    fn so_far(&self) -> String {
        String::from_utf8_lossy(&self.text.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }

    fn end(&mut self) -> String {
        if let Some(reader) = self.reader.take() {
            reader.join().expect("reading a pipe does not fail");
        }
        self.so_far()
    }
}
