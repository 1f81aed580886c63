//! Ctrl-C and the system's wish: the first drains, the second abandons.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::run::{Interrupt, Signal};

/// Listens for INT and TERM from now on.
pub(super) fn listen() -> std::io::Result<watch::Receiver<Interrupt>> {
    let mut int = signal(SignalKind::interrupt())?;
    let mut term = signal(SignalKind::terminate())?;
    let (sender, receiver) = watch::channel(Interrupt::None);
    tokio::spawn(async move {
        loop {
            let came = tokio::select! {
                Some(()) = int.recv() => Signal::Int,
                Some(()) = term.recv() => Signal::Term,
                else => return,
            };
            sender.send_modify(|interrupt| {
                *interrupt = match *interrupt {
                    Interrupt::None => Interrupt::Drain(came),
                    Interrupt::Drain(_) | Interrupt::Abandon(_) => Interrupt::Abandon(came),
                };
            });
        }
    });
    Ok(receiver)
}
