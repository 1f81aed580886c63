//! What a whole file came to: the counts, and its problems grouped by cause.

use super::note::Note;
use super::rejected::WrittenRejects;
use super::table::mapped::MappedColumn;
use super::zones::UnknownZones;
use crate::invocation::{BatchId, PhoneRules, PhoneTable, mask_phone};
use crate::mep::ServiceId;
use crate::validate::{Problem, ShownCell};

/// Lines that are named of each group of problems.
pub(super) const LINES_NAMED_MAX: usize = 5;
/// Groups that are kept apart; a file of which every row fails differently would otherwise fill the memory.
const GROUPS_MAX: usize = 200;

/// What a file came to: rows = ready + rejected + skipped.
#[derive(Debug, Clone, Default)]
pub struct Judgement {
    /// Rows in the file.
    pub rows: u64,
    /// Rows that can be sent.
    pub ready: u64,
    /// Rows that this tool refuses.
    pub rejected: u64,
    /// Rows that are right and are not sent: repeats, and those of `suppressed` and `already_sent`.
    pub skipped: u64,
    /// Cells that were cleaned.
    pub cleaned: u64,
    /// Rows whose phone number got the country code that it lacked.
    pub completed: u64,
    /// The phone numbers of the rows that can be sent.
    pub numbers: PhoneTable,
    /// How they were read.
    pub phones: PhoneRules,
    /// Rows with a value outside ASCII.
    pub non_ascii: u64,
    /// Rows that name no zone that is known, among those that can be sent.
    pub unknown_zones: UnknownZones,
    /// What is wrong, by cause, in the order of first appearance.
    pub problems: Vec<ProblemGroup>,
    /// Problems beyond the groups that are kept apart.
    pub more_problems: u64,
    /// What there is to say about the file and how it was read.
    pub notes: Vec<Note>,
    /// The file of refused rows, if one was asked for.
    pub rejected_file: Option<WrittenRejects>,
    /// Rows whose number is on the suppression list.
    pub suppressed: SuppressedRows,
    /// Rows that other batches have sent, or are about to, by batch.
    pub already_sent: Vec<AlreadySent>,
    /// Numbers of ready rows that other batches have told something else, or are about to.
    pub told_before: u64,
    /// The newest of those batches.
    pub told_before_batch: Option<(BatchId, String)>,
    /// The mapped names.
    pub columns: Vec<String>,
    /// What the columns are mapped to.
    pub mapping: Vec<MappedColumn>,
    /// The service, if the file or a flag names one.
    pub service: Option<ServiceId>,
}

/// Rows to suppressed numbers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SuppressedRows {
    /// How many.
    pub count: u64,
    /// The lines of the first of them.
    pub first: Vec<u32>,
}

/// Rows that another batch has sent, or is about to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlreadySent {
    /// The other batch.
    pub batch: String,
    /// How many.
    pub count: u64,
    /// The lines of the first of them, each with its line in the other batch.
    pub first: Vec<(u32, u32)>,
}

/// Equal problems.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProblemGroup {
    /// The operator's header.
    pub column: String,
    /// Why.
    pub reason: String,
    /// What the operator can do.
    pub fix: String,
    /// How many rows have it.
    pub count: u64,
    /// The first of them.
    pub first: Vec<ProblemPlace>,
}

/// One place of a problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProblemPlace {
    /// The row's line.
    pub line: u32,
    /// The cell as people may see it.
    pub cell: Option<ShownCell>,
    /// The line of an earlier row that it collides with.
    pub earlier: Option<u32>,
}

impl Judgement {
    /// Notes the problems of a refused row.
    pub(super) fn note(&mut self, line: u32, problems: &[Problem]) {
        for problem in problems {
            let place = || ProblemPlace { line, cell: problem.shown_cell(), earlier: None };
            self.note_place(&problem.column, &problem.reason, &problem.fix, place);
        }
    }

    /// Notes a row whose phone number stands in an earlier one too, with other content.
    pub(super) fn note_collision(&mut self, line: u32, earlier: u32) {
        let place = || ProblemPlace { line, cell: None, earlier: Some(earlier) };
        let reason = "an earlier row has the same phone number and other content";
        self.note_place("phoneNumber", reason, COLLISION_FIX, place);
    }

    /// Notes a ready row that is not sent because its number is suppressed.
    pub(super) fn note_suppressed(&mut self, line: u32) {
        self.pass_over();
        self.suppressed.count += 1;
        note_line(&mut self.suppressed.first, line);
    }

    /// Notes a ready row that is not sent because another batch has the same request.
    pub(super) fn note_already_sent(&mut self, line: u32, batch: &str, earlier: u32) {
        self.pass_over();
        let place = self.already_sent.iter().position(|group| group.batch == batch).unwrap_or_else(|| {
            self.already_sent.push(AlreadySent { batch: batch.to_owned(), count: 0, first: Vec::new() });
            self.already_sent.len() - 1
        });
        let group = &mut self.already_sent[place];
        group.count += 1;
        note_line(&mut group.first, (line, earlier));
    }

    /// Notes a batch that told a number of this file something else.
    pub(super) fn note_told_by(&mut self, batch: BatchId, name: impl FnOnce(BatchId) -> String) {
        if self.told_before_batch.as_ref().is_none_or(|(newest, _)| *newest < batch) {
            self.told_before_batch = Some((batch, name(batch)));
        }
    }

    fn pass_over(&mut self) {
        self.ready -= 1;
        self.skipped += 1;
    }

    /// Notes a place of a problem; it is made only where it is kept.
    fn note_place(&mut self, column: &str, reason: &str, fix: &str, place: impl FnOnce() -> ProblemPlace) {
        let same = |group: &&mut ProblemGroup| group.column == column && group.reason == reason;
        if let Some(group) = self.problems.iter_mut().find(same) {
            group.count += 1;
            if group.first.len() < LINES_NAMED_MAX {
                group.first.push(place());
            }
        } else if self.problems.len() < GROUPS_MAX {
            let (column, reason, fix) = (column.to_owned(), reason.to_owned(), fix.to_owned());
            self.problems.push(ProblemGroup { column, reason, fix, count: 1, first: vec![place()] });
        } else {
            self.more_problems += 1;
        }
    }
}

/// What an operator can do about two rows with one number.
pub(super) const COLLISION_FIX: &str =
    "keep the right one of the two; or `--duplicates skip` keeps the first, `--duplicates allow` sends both";

/// What is said of a row whose number stands in another one too; both lines are named.
pub(super) fn collision(phone: u64, line: u32, earlier: u32) -> String {
    format!("line {line} {} as line {earlier}, with other content", same_number(phone))
}

/// Whether a reason is such a refusal, for that number.
pub(super) fn says_number_repeats(reason: &str, phone: u64) -> bool {
    reason.contains(&same_number(phone))
}

/// What is said of a row whose number another one has.
pub(super) fn same_number(phone: u64) -> String {
    format!("has the same phone number ({})", mask_phone(&phone.to_string()))
}

/// Keeps the lowest lines: rows come in the order of their numbers, and people look at the top of the file.
fn note_line<T: Ord>(first: &mut Vec<T>, line: T) {
    let place = first.partition_point(|other| *other < line);
    first.insert(place, line);
    first.truncate(LINES_NAMED_MAX);
}

/// Why a row that repeats an earlier one is skipped.
pub(super) fn repetition(earlier: u32) -> String {
    format!("not sent: the same request as line {earlier}")
}
