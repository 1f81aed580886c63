//! The table of runs: who sends, since when, and when each was seen last.

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table};

use super::output::grouped;
use crate::report::RunStatus;

/// Characters of a machine's name, so that the table fits on a terminal of 80.
const HOST_CHARS: usize = 16;

/// Characters of a time up to its minute.
const MINUTE_CHARS: usize = 16;

/// The table; nothing where no run has begun and not ended.
pub(super) fn text_of(runs: &[RunStatus], is_shared: bool) -> String {
    if runs.is_empty() {
        return String::new();
    }
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(["Run", "since", "in flight", "seen"]);
    for run in runs {
        let host: String = run.host.chars().take(HOST_CHARS).collect();
        let since = run.started_at.get(..MINUTE_CHARS).map_or(run.started_at.clone(), |minute| format!("{minute}Z"));
        let seen = format!("{}{}", ago(run.silent_for_ms), verdict(run, is_shared));
        table.add_row([format!("{host} (pid {})", run.pid), since, grouped(run.in_flight), seen]);
    }
    if let Some(column) = table.column_mut(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    format!("{}\n", table.trim_fmt())
}

fn verdict(run: &RunStatus, is_shared: bool) -> &'static str {
    match (run.alive, is_shared) {
        (true, _) => "",
        (false, true) => ", silent",
        (false, false) => ", died",
    }
}

fn ago(ms: u64) -> String {
    match ms / 1_000 {
        seconds @ 0..=99 => format!("{seconds} s ago"),
        seconds @ 100..=5_999 => format!("{} min ago", seconds / 60),
        seconds @ 6_000..=172_799 => format!("{} h ago", seconds / 3_600),
        seconds => format!("{} days ago", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(host: &str, alive: bool, silent_for_ms: u64) -> RunStatus {
        let at = "2026-07-01T12:00:00.123Z".to_owned();
        RunStatus {
            host: host.to_owned(),
            pid: 4_194_304,
            started_at: at.clone(),
            alive,
            sends: true,
            last_seen_at: at,
            silent_for_ms,
            in_flight: 16,
        }
    }

    #[test]
    fn runs_stand_in_columns_and_fit_on_a_terminal() {
        let runs = [run("a", true, 1_200), run("a-machine-with-quite-a-long-name.example", false, 45_000)];
        let text = text_of(&runs, true);
        let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
        assert_eq!(lines.len(), 3, "{text}");
        assert!(lines.iter().all(|line| line.chars().count() <= 80), "{text}");
        assert!(lines[1].ends_with("16  1 s ago") && lines[2].ends_with("16  45 s ago, silent"), "{text}");
        assert!(text_of(&runs, false).contains("45 s ago, died"));
        assert_eq!(text_of(&[], true), "");
    }

    #[test]
    fn a_time_is_told_in_the_unit_that_fits() {
        let told = [0, 99_000, 100_000, 7_200_000, 400_000_000].map(ago);
        assert_eq!(told, ["0 s ago", "99 s ago", "1 min ago", "2 h ago", "4 days ago"]);
    }
}
