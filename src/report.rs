//! The figures: what is told of batches and rows, as data. Rendered last, by `cli` or by the formats below.

mod campaign;
mod commands;
mod eta;
mod export;
mod exposition;
mod figures;
mod follow;
mod followers;
mod forecast;
mod histogram;
mod hours;
mod lacks;
mod latest;
mod metrics;
mod plan;
mod row;
mod search;
mod spans;
mod status;
mod tally;

pub use campaign::{ACTIONS_TOLD, Campaign, CampaignRun, Disagreement, ROWS_TOLD, campaign};
pub use commands::{COMMANDS_OF_QUEUE, is_command_of_queue};
pub use eta::{Group, Later, Load};
pub use export::{Format, Wanted, attempts as export_attempts, rows as export_rows};
pub use exposition::{CONTENT_TYPE, Family, Kind, Teller};
pub use figures::{Figures, Standings};
pub use follow::{Known, RowsOfLines};
pub use forecast::{Eta, eta};
pub use lacks::{Lacks, lacks};
pub use metrics::{FAMILIES, LastAccepted, Page, QueueFigures, QueueReader, RunFigures, Tallies, last_accepted};
pub use plan::{NotToday, Plan, Prospect, PutOffFor, plan, prospect};
pub use row::{Field, FieldValue, columns_of, flat_row, is_texted_twice, masked_body};
pub use search::{Found, search};
pub use spans::Span;
pub use status::{
    BatchStatus, CanaryStatus, NextStep, RunStatus, Standing, WaitingFor, has_too_many_unknown, held_rows, next_steps,
    standing, status,
};
pub use tally::{Tally, TroubleRows, chunks, tally};
