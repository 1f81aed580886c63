//! `report`: all that came of a batch as one page, to be read, printed and handed in.

use std::io::Write;

use serde_json::json;

use super::args::ReportArgs;
use super::context::{self, Context};
use super::exit::Exit;
use super::output::{counted, is_closed_pipe};
use super::results_file::ResultsFile;
use super::rolled_back;
use super::steering::Escape;
use super::typed;
use crate::invocation::UnixMillis;
use crate::report;
use crate::web;

pub(super) async fn report(context: &mut Context, args: ReportArgs) -> anyhow::Result<Exit> {
    let store = context.open_store().await?;
    let batch = context::batch(&store, &args.batch).await?;
    let lacks = rolled_back::tell(context, &store).await?;
    let mut file = ResultsFile::begin(Some(&args.output))?;
    let mut campaign = report::campaign(&store, batch, UnixMillis::now()).await?;
    campaign.status.lacks = lacks;
    store.close().await;
    let page = web::report(&campaign, args.reveal, typed::database()).into_string();
    let mut out = file.writer(Escape::Text);
    let written = out.write_all(page.as_bytes()).and_then(|()| out.flush()).map_err(anyhow::Error::from);
    drop(out);
    match written {
        Ok(()) => file.keep()?,
        Err(error) if is_closed_pipe(&error) => return Ok(Exit::Complete),
        Err(error) => return Err(error),
    }
    let (name, path) = (&campaign.batch.name, args.output.display());
    if context.out.is_json() {
        let object = json!({
            "batch": name,
            "output": path.to_string(),
            "bytes": page.len(),
            "rows": campaign.status.rows,
            "states": campaign.status.states,
            "attempts": campaign.tally.attempt_count(),
            "addsUp": campaign.disagreements().is_empty(),
            "beingSent": campaign.is_being_sent(),
            "exitCode": Exit::Complete.code(),
        });
        context.out.data(&format!("{object}\n"));
    } else {
        let rows = counted(campaign.batch.rows.unsigned_abs(), "row");
        context.out.note(&format!("report of batch `{name}`, {rows}, written to {path}\n"));
    }
    Ok(Exit::Complete)
}
