//! Ctrl-C, the system's wish and a terminal that was closed: the first drains, a second wish abandons.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::run::{Interrupt, Signal};

/// Listens for INT, TERM and HUP from now on.
///
/// A terminal that is closed is a wish to end, once: shells and the kernel send HUP twice. Under `nohup` it is none.
pub(super) fn listen() -> std::io::Result<watch::Receiver<Interrupt>> {
    let mut int = signal(SignalKind::interrupt())?;
    let mut term = signal(SignalKind::terminate())?;
    let heeds_hup = !ignores_hup();
    let mut hup = if heeds_hup { Some(signal(SignalKind::hangup())?) } else { None };
    let (sender, receiver) = watch::channel(Interrupt::None);
    tokio::spawn(async move {
        loop {
            let (came, counts_twice) = tokio::select! {
                Some(()) = int.recv() => (Signal::Int, true),
                Some(()) = term.recv() => (Signal::Term, true),
                Some(()) = async { hup.as_mut()?.recv().await }, if heeds_hup => (Signal::Term, false),
                else => return,
            };
            sender.send_modify(|interrupt| {
                *interrupt = match *interrupt {
                    Interrupt::None => Interrupt::Drain(came),
                    Interrupt::Drain(_) | Interrupt::Abandon(_) if counts_twice => Interrupt::Abandon(came),
                    other @ (Interrupt::Drain(_) | Interrupt::Abandon(_)) => other,
                };
            });
        }
    });
    Ok(receiver)
}

/// Whether whoever started this process wants it to outlive its terminal.
fn ignores_hup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
}
