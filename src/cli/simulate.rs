//! `simulate`: a stand-in for the API on this machine.

use std::fmt::Write;

use anyhow::Context as _;
use serde_json::json;
use tokio::net::TcpListener;

use super::args::SimulateArgs;
use super::context::Context;
use super::exit::Exit;
use super::failure::Usage;
use super::signals;
use crate::run::Interrupt;
use crate::simulator::{self, Faults, Settings};

pub(super) async fn simulate(context: &mut Context, args: SimulateArgs) -> anyhow::Result<Exit> {
    let settings = Settings {
        latency: args.latency.unwrap_or_default(),
        faults: Faults::new(args.fault).map_err(|error| Usage(error.to_string()))?,
        seed: args.seed,
        receipts: args.receipts,
    };
    let listener = TcpListener::bind(args.listen).await.with_context(|| format!("cannot listen on {}", args.listen))?;
    let mut interrupts = signals::listen()?;
    let address = listener.local_addr()?;
    if context.out.is_json() {
        context.out.data(&format!("{}\n", json!({ "listening": format!("http://{address}") })));
    } else {
        context.out.note(&format!("standing in for the API: --endpoint http://{address}\nCtrl-C ends it\n"));
    }
    let shutdown = async move {
        // An error means that nobody listens for signals any more: then nothing else can end this either.
        let _ = interrupts.wait_for(|interrupt| *interrupt != Interrupt::None).await;
    };
    let summary = simulator::serve(listener, settings, shutdown).await?;
    if context.out.is_json() {
        let object = json!({ "received": summary.received, "accepted": summary.accepted, "taken": summary.taken });
        context.out.data(&format!("{object}\n"));
    } else {
        let mut text = format!("{} requests received, {} accepted\n", summary.received, summary.accepted);
        for (fault, count) in &summary.faults {
            let _ = writeln!(text, "{count:>10}  {fault}");
        }
        context.out.outcome(&text);
    }
    Ok(Exit::Complete)
}
