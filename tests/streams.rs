//! What was asked for and cannot be written, or is written to no plain file.

mod audit;
mod cluster;
mod scenario;

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::FileTypeExt;
use std::process::Stdio;
use std::thread;

use scenario::{Done, Scenario};

/// A batch of two rows that have been sent.
fn sent() -> Scenario {
    let s = Scenario::new();
    s.campaign(2).mep("run campaign.csv --endpoint simulator").exits(0);
    s
}

/// Runs the program where nothing can be written to stdout.
fn on_a_full_disk(s: &Scenario, line: &str) -> Done {
    let full = File::options().write(true).open("/dev/full").expect("the device");
    let ended = s.command(line).stdin(Stdio::null()).stdout(full).output().expect("the program can be started");
    let stderr = String::from_utf8_lossy(&ended.stderr).into_owned();
    Done { code: ended.status.code().expect("no signal"), stdout: String::new(), stderr }
}

#[test]
fn what_cannot_be_written_to_stdout_is_no_success() {
    let s = sent();
    for line in [
        "status",
        "status --json",
        "list campaign",
        "list campaign --json",
        "show campaign 2",
        "export campaign",
        "run campaign --json",
        "config",
        "completions bash",
    ] {
        on_a_full_disk(&s, line).exits(1).says("No space left on device");
    }
    // A quiet run has nothing to write.
    on_a_full_disk(&s, "run campaign -q").exits(0);
}

#[test]
fn an_export_into_a_pipe_leaves_it_one() {
    let s = sent();
    let pipe = s.path("pipe");
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR).expect("a pipe");
    let reader = {
        let pipe = pipe.clone();
        thread::spawn(move || {
            let mut text = String::new();
            File::open(pipe).and_then(|mut pipe| pipe.read_to_string(&mut text)).map(|_| text)
        })
    };
    s.mep("export campaign -o pipe").exits(0);
    assert!(fs::metadata(&pipe).expect("the pipe").file_type().is_fifo());
    assert_eq!(reader.join().expect("the reader ends").expect("text").lines().count(), 3);
    let through_stdout = s.mep("export campaign -o /dev/stdout").exits(0);
    assert_eq!(through_stdout.stdout.lines().count(), 3);
}
