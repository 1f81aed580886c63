//! `--canary`: the first row's text to the operator's own handset, before anybody else gets it.
//!
//! The service answers 202 even for a wrong service ID: that a text arrives is seen on a handset only.

use std::io::IsTerminal;

use anyhow::bail;

use super::args::RunArgs;
use super::context::Context;
use super::exit::Exit;
use super::failure::{Told, Usage};
use super::output;
use super::run::connections;
use super::stand_in::StandIn;
use crate::client::Credentials;
use crate::invocation::{Effect, Outcome, Settlement, UnixMillis, mask_phone};
use crate::mep::Endpoint;
use crate::run::Routes;
use crate::store::{Batch, Canary, InvocationView, Store};
use crate::{validate, worker};

/// Refuses a canary that cannot be, before anything is stored or sent.
pub(super) fn check(args: &RunArgs) -> anyhow::Result<()> {
    if args.canary.is_none() {
        return Ok(());
    }
    if args.what.len() != 1 {
        bail!(Usage("`--canary` tries out one batch\nhint: mep-batch run BATCH --canary PHONE".to_owned()));
    }
    if args.batch.endpoint == Some(Endpoint::Cie) {
        return Err(no_handset_rings());
    }
    if !std::io::stdin().is_terminal() {
        bail!(Usage(
            "`--canary` asks whether the text arrived, and this is no terminal; nothing was sent\n\
             hint: type it on a terminal, or leave it out"
                .to_owned()
        ));
    }
    Ok(())
}

/// Sends the first pending row's text to that number, and asks whether it arrived. An error: it did not, and why that may
/// be has been said.
pub(super) async fn send(
    context: &mut Context,
    store: &Store,
    batch: &Batch,
    typed: &str,
    args: &RunArgs,
    credentials: Option<&Credentials>,
) -> anyhow::Result<()> {
    if batch.endpoint == Endpoint::Cie {
        return Err(no_handset_rings());
    }
    let number = validate::clean_phone(typed, &batch.settings.phones)
        .map_err(|fault| Usage(format!("`--canary`: {}\nhint: {}", fault.reason, fault.fix)))?
        .number;
    let (row, body) = first_row(store, batch).await?;
    let Some(body) = validate::with_phone(&body, number) else {
        bail!(Usage(format!("line {} of batch `{}` has no phone number in its request", row.line, batch.name)));
    };
    let shown = mask_phone(&number.to_string());
    let stand_in = StandIn::start_if_needed(std::slice::from_ref(batch)).await?;
    let mut routes = Routes::new(
        connections(context, args, credentials.cloned(), 1, &stand_in),
        super::suppression::reader(&args.input.map),
    );
    let route = routes.route(batch).await?;
    output::stderr(&format!("Canary: sending the text of line {} to {shown} through {}\n", row.line, batch.endpoint));
    let mut canary = Canary::new(number, row.line);
    let id = store.begin_canary(batch.id, &canary, &context.actor, UnixMillis::now()).await?;
    let (settlement, effect) = worker::canary(body, &route).await;
    stand_in.stop().await;
    note(&mut canary, &settlement);
    store.change_canary(id, &canary).await?;
    if settlement.outcome != Outcome::Accepted {
        context.out.note(&refused_text(batch, &settlement, &effect));
        bail!(Told(Exit::Stopped));
    }
    let request_id = settlement.request_id.unwrap_or_default();
    let arrived = ask(&request_id, &shown)?;
    canary.arrived = Some(arrived);
    store.change_canary(id, &canary).await?;
    if !arrived {
        context.out.note(&not_arrived_text(batch, &request_id));
        bail!(Told(Exit::Usage));
    }
    Ok(())
}

async fn first_row(store: &Store, batch: &Batch) -> anyhow::Result<(InvocationView, String)> {
    let row = store.first_pending(batch.id).await?;
    let with_body = row.and_then(|row| row.body.clone().map(|body| (row, body)));
    with_body
        .ok_or_else(|| Usage(format!("batch `{}` has nothing left to send, so no canary either", batch.name)).into())
}

fn note(canary: &mut Canary, settlement: &Settlement) {
    canary.state = settlement.outcome.as_str().to_owned();
    canary.sent_at = settlement.sent_at;
    canary.finished_at = Some(settlement.finished_at);
    canary.http_status = settlement.http_status;
    canary.code = settlement.code;
    canary.message.clone_from(&settlement.message);
    canary.request_id.clone_from(&settlement.request_id);
}

fn ask(request_id: &str, shown: &str) -> anyhow::Result<bool> {
    let typed = output::ask(&format!(
        "The service has taken it, as request {request_id}.\n\
         Has it arrived on {shown}, and does it read as it should? [y/N] "
    ))?;
    Ok(matches!(typed.to_ascii_lowercase().as_str(), "y" | "yes"))
}

fn no_handset_rings() -> anyhow::Error {
    Usage(
        "`--canary` is of no use on CIE, which starts no service: no handset rings; nothing was sent\n\
         hint: `--limit 1` shows that CIE takes the first row"
            .to_owned(),
    )
    .into()
}

/// What came instead of a 202.
fn refused_text(batch: &Batch, settlement: &Settlement, effect: &Effect) -> String {
    let said = settlement.message.as_deref().unwrap_or("nothing");
    let status = settlement.http_status.map(|status| format!(" (HTTP {status})")).unwrap_or_default();
    let name = &batch.name;
    let why = match effect {
        Effect::Stop(why) => format!("{why}\n"),
        Effect::None | Effect::Throttle(_) | Effect::Unreachable | Effect::Ambiguous => String::new(),
    };
    format!(
        "stopped: the canary was not accepted but {}{status}: {said}\n{why}\
         nobody else was texted; batch `{name}` is kept\n",
        settlement.outcome.as_str()
    )
}

fn not_arrived_text(batch: &Batch, request_id: &str) -> String {
    format!(
        "nobody else was texted; batch `{}` is kept\n\
         The service takes requests even for a service ID that is wrong, or of a service\n\
         that is not live. Compare `{}` with the vendor's console.\n\
         hint: ask the vendor's support what became of request {request_id}\n",
        batch.name, batch.service
    )
}
