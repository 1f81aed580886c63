//! `export`: the results as a file.

use std::fs::{File, Metadata};
use std::io::{BufWriter, Write};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::Path;

use anyhow::{Context as _, anyhow};
use tempfile::NamedTempFile;

use super::args::{ExportArgs, FormatArg};
use super::context::{self, Context};
use super::exit::Exit;
use super::output::{Output, counted, is_closed_pipe};
use super::steering::Escape;
use crate::report::{self, Format, Wanted};
use crate::store::Filter;

/// A link, which must not be taken for the file that stdout may have been led into.
const STDOUT: &str = "/dev/stdout";

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
    let mut file = match args.output.as_deref() {
        Some(path) if !is_stream(path) => Some(beside(path)?),
        Some(_) | None => None,
    };
    let mut out: Box<dyn Write + Send> = match (&mut file, args.output.as_deref()) {
        (Some(file), _) => Box::new(BufWriter::new(file.as_file_mut())),
        (None, Some(path)) if path != Path::new(STDOUT) => Box::new(BufWriter::new(stream(path)?)),
        (None, Some(_) | None) => Output::stream(if format == Format::Csv { Escape::Text } else { Escape::Json }),
    };
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
    if let (Some(file), Some(path), Ok(_)) = (file, &args.output, &written) {
        file.persist(path).with_context(|| format!("cannot write `{}`", path.display()))?;
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

/// Whether a path names a device or a pipe: written to as it is, and never replaced by a file. Somebody else's pipe is none,
/// nor is what another user's link leads to.
fn is_stream(path: &Path) -> bool {
    let me = rustix::process::geteuid().as_raw();
    let is_strangers = |link: Metadata| link.is_symlink() && link.uid() != me && link.uid() != 0;
    if std::fs::symlink_metadata(path).is_ok_and(is_strangers) {
        return false;
    }
    path == Path::new(STDOUT) || std::fs::metadata(path).is_ok_and(|it| is_writable_stream(&it, me))
}

fn is_writable_stream(it: &Metadata, me: u32) -> bool {
    !it.is_file() && !it.is_dir() && (it.file_type().is_char_device() || it.uid() == me)
}

/// Opens it, unless something else has taken its place meanwhile: a file would be written over from its start.
fn stream(path: &Path) -> anyhow::Result<File> {
    let failed = || format!("cannot write to `{}`", path.display());
    let opened = File::options().write(true).open(path).with_context(failed)?;
    let is_one = is_writable_stream(&opened.metadata().with_context(failed)?, rustix::process::geteuid().as_raw());
    if is_one { Ok(opened) } else { Err(anyhow!("it has become another file")).with_context(failed) }
}

/// A new file beside the path, which takes its place once it is whole: for its owner alone (it holds phone numbers in
/// full), and never through a link that somebody else put there.
fn beside(path: &Path) -> anyhow::Result<NamedTempFile> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    NamedTempFile::new_in(folder).with_context(|| format!("cannot write into `{}`", folder.display()))
}
