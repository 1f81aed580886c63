//! `export`: the results as a file.

use super::args::{ExportArgs, FormatArg};
use super::context::{self, Context};
use super::exit::Exit;
use super::output::{counted, is_closed_pipe};
use super::results_file::ResultsFile;
use super::steering::Escape;
use crate::report::{self, Format, Wanted};
use crate::store::Filter;

pub(super) async fn export(context: &mut Context, args: ExportArgs) -> anyhow::Result<Exit> {
    let store = context.open_store().await?;
    let batch = context::batch(&store, &args.batch).await?;
    let filter = Filter { states: args.filter.state.clone(), ..Filter::default() };
    let format = match args.format {
        None if context.out.is_json() => Format::Ndjson,
        None | Some(FormatArg::Csv) => Format::Csv,
        Some(FormatArg::Ndjson) => Format::Ndjson,
        Some(FormatArg::Json) => Format::Json,
    };
    let mut file = ResultsFile::begin(args.output.as_deref())?;
    let mut out = file.writer(if format == Format::Csv { Escape::Text } else { Escape::Json });
    let wanted = Wanted { filter: &filter, limit: None, reveal: true, names_batch: false };
    let written = if args.attempts {
        report::export_attempts(&store, &batch, &filter, true, format, &mut *out).await
    } else {
        report::export_rows(&store, &batch, wanted, format, &mut *out).await
    };
    // What is still held back is lost where it is not written before `out` goes.
    let flushed = out.flush().map_err(anyhow::Error::from);
    let written = written.and_then(|lines| flushed.map(|()| lines));
    drop(out);
    store.close().await;
    if written.is_ok() {
        file.keep()?;
    }
    match written {
        Ok(written) => {
            if let Some(path) = &args.output {
                context.out.note(&format!("{} written to {}\n", counted(written, "line"), path.display()));
            }
            Ok(Exit::Complete)
        }
        Err(error) if is_closed_pipe(&error) => Ok(Exit::Complete),
        Err(error) => Err(error),
    }
}
