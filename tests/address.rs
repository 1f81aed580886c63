//! The address of the database: its password shows nowhere, and is refused where others can read it.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

const PASSWORD: &str = "s3cret-of-the-queue";

/// The program in a folder of its own, with nothing of this process's environment; what it wrote, and its exit code.
fn said(folder: &Path, variables: &[(&str, &str)], line: &str) -> (String, Option<i32>) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mep-batch"));
    command.args(line.split_whitespace()).current_dir(folder).env_clear().env("HOME", folder).env("USER", "operator");
    let done = command.envs(variables.iter().copied()).output().expect("the program can be started");
    let text = format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    (text, done.status.code())
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

#[test]
fn a_password_in_an_argument_is_refused_and_not_repeated() {
    let folder = folder();
    let url = format!("postgres://me:{PASSWORD}@127.0.0.1:1/queue");
    for line in [
        format!("status --db {url}"),
        format!("--db={url} status --json"),
        format!("--db postgres://127.0.0.1:1/queue?password={PASSWORD} status"),
        format!("run {url}"),
        format!("{url} --help"),
    ] {
        let (text, code) = said(folder.path(), &[], &line);
        assert_eq!(code, Some(2), "{text}");
        assert!(text.contains("MEP_BATCH_DB") && text.contains("PGPASSFILE"), "{text}");
        assert!(!text.contains(PASSWORD), "{text}");
    }
}

#[test]
fn a_password_shows_in_no_error_help_or_log() {
    let folder = folder();
    // Nobody listens at port 1, and 192.0.2.0/24 is nobody's.
    for place in [
        "127.0.0.1:1/queue",
        "127.0.0.1:port/queue",
        "127.0.0.1:1/queue?sslmode=requier",
        "127.0.0.1:1/queue?sslmod=require",
        "127.0.0.1:1/queue?sslmode=verify-full&sslrootcert=nowhere.pem",
        "127.0.0.1:1/queue?port=x",
        "a name:1/queue",
        "%zz/queue",
    ] {
        for url in [format!("postgres://me:{PASSWORD}@{place}"), format!("postgres://me:1/{PASSWORD}@{place}")] {
            for line in ["status -vv", "status --json -vv --log-format json", "--help", "status --db", "list --limit x"]
            {
                let (text, _) = said(folder.path(), &[("MEP_BATCH_DB", &url)], line);
                assert!(!text.contains(PASSWORD) && !text.is_empty(), "{line}: {text}");
            }
            let (text, code) = said(folder.path(), &[("MEP_BATCH_DB", &url)], "status");
            assert!(code == Some(2) || code == Some(9), "{text}");
        }
    }
    let (text, code) = said(
        folder.path(),
        &[("MEP_BATCH_DB", "postgres://me@127.0.0.1:1/queue"), ("PGPASSWORD", PASSWORD)],
        "status -vv",
    );
    assert!(code == Some(9) && text.contains("postgres://me@127.0.0.1:1/queue") && !text.contains(PASSWORD), "{text}");
}

#[test]
fn a_password_in_the_settings_is_the_owners_alone() {
    let folder = folder();
    let file = folder.path().join("mep-batch.toml");
    std::fs::write(&file, format!("db = \"postgres://me:{PASSWORD}@127.0.0.1:1/queue\"\n")).expect("a file");
    for (mode, expected) in [(0o644, 2), (0o640, 2), (0o600, 9)] {
        std::fs::set_permissions(&file, PermissionsExt::from_mode(mode)).expect("a mode");
        let (text, code) = said(folder.path(), &[], "status --config mep-batch.toml -vv");
        assert_eq!(code, Some(expected), "{text}");
        assert!(!text.contains(PASSWORD), "{text}");
        let (help, _) = said(folder.path(), &[], "status --config mep-batch.toml --help");
        assert!(!help.contains(PASSWORD), "{help}");
    }
}
