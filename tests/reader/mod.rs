//! Reads a file with flags as an operator types them, through the library.

use std::path::Path;
use std::str::FromStr;

use mep_batch::import::{
    Delimiter, FileRefused, Input, Judgement, Options, Reading, Rows, Survey, TextEncoding, Tolerance, TooManyRejected,
    check,
};
use mep_batch::invocation::{Expressions, National, RowContent, Suppressed};

/// What the flags of `check` say.
#[derive(Debug, Clone)]
pub(crate) struct Flags {
    options: Options,
    reading: Reading,
    tolerance: Tolerance,
}

/// What a file came to.
pub(crate) enum Answer {
    /// It was read to its end.
    Judged(Box<Judgement>, Survey),
    /// It was read to its end, and more of its rows are refused than may be.
    TooMany(Box<Judgement>, Survey),
    /// It is refused as a whole.
    Refused(FileRefused),
}

impl Flags {
    /// Reads flags of the form `--name` or `--name=value`.
    pub(crate) fn parse(flags: &[String]) -> Flags {
        let options = Options { allow_no_service: true, ..Options::default() };
        let mut parsed = Flags { options, reading: Reading::default(), tolerance: Tolerance::default() };
        let (mut code, mut length) = (None, None);
        for flag in flags {
            let (name, text) = flag.split_once('=').unwrap_or((flag, ""));
            let Flags { options, reading, tolerance } = &mut parsed;
            match name {
                "--encoding" => reading.encoding = Some(value::<TextEncoding>(text)),
                "--delimiter" => reading.delimiter = Some(value::<Delimiter>(text)),
                "--sheet" => reading.sheet = Some(value(text)),
                "--service" => options.service = Some(value(text)),
                "--map" => options.maps.push(value(text)),
                "--set" => options.sets.push(value(text)),
                "--ignore" => options.ignore.push(text.to_owned()),
                "--ignore-unmapped" => options.ignore_unmapped = true,
                "--no-header" => options.no_header = true,
                "--allow-empty" => options.allow_empty = true,
                "--ascii-only" => options.rules.ascii_only = true,
                "--allow-expressions" if text.is_empty() => options.rules.expressions = Expressions::Allowed,
                "--allow-expressions" => {
                    let columns = text.split(',').map(str::to_owned).collect();
                    options.rules.expressions = Expressions::AllowedIn(columns);
                }
                "--country-code" => code = Some(value(text)),
                "--national-length" => length = Some(value(text)),
                "--only-countries" => options.rules.phones.only_countries = text.split(',').map(value).collect(),
                "--duplicates" => tolerance.duplicates = value(text),
                "--max-rejected" => tolerance.rejected_max = Some(value(text)),
                unknown => unreachable!("`{unknown}` is no flag that the corpus uses"),
            }
        }
        parsed.options.rules.phones.national = code.zip(length).map(|(code, length)| National { code, length });
        parsed
    }

    /// Begins to read the rows of a file.
    pub(crate) fn rows(&self, file: &Path) -> Result<Rows, FileRefused> {
        Input::open(file, &self.reading)?.rows(self.options.clone())
    }

    /// Does what `check` does.
    pub(crate) async fn check(&self, file: &Path) -> Answer {
        let rows = match self.rows(file) {
            Ok(rows) => rows,
            Err(refused) => return Answer::Refused(refused),
        };
        let survey = rows.survey().clone();
        match check(rows, self.tolerance, &Suppressed::default(), None).await {
            Ok(judgement) => Answer::Judged(Box::new(judgement), survey),
            Err(error) => match error.downcast::<FileRefused>() {
                Ok(refused) => Answer::Refused(refused),
                Err(error) => {
                    let too_many = error.downcast::<TooManyRejected>().expect("nothing else refuses a file");
                    Answer::TooMany(too_many.judgement, survey)
                }
            },
        }
    }

    /// The bodies of the rows that can be sent, before any is told to repeat another.
    pub(crate) fn bodies(&self, file: &Path) -> Result<Vec<String>, FileRefused> {
        let mut rows = self.rows(file)?;
        let mut bodies = Vec::new();
        while let Some(row) = rows.next_row()? {
            if let RowContent::Ready { body, .. } = row.row.content {
                bodies.push(body);
            }
        }
        Ok(bodies)
    }
}

fn value<T: FromStr>(text: &str) -> T {
    text.parse().unwrap_or_else(|_| unreachable!("`{text}` is no value of its flag"))
}
