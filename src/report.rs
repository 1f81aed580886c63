//! The figures: what is told of batches and rows, as data. Rendered last, by `cli` or by the formats below.

mod eta;
mod export;
mod figures;
mod follow;
mod followers;
mod forecast;
mod hours;
mod latest;
mod plan;
mod row;
mod search;
mod status;
mod tally;

pub use eta::{Group, Later, Load};
pub use export::{Format, Wanted, attempts as export_attempts, rows as export_rows};
pub use figures::{Figures, Standings};
pub use follow::{Known, RowsOfLines};
pub use forecast::{Eta, eta};
pub use plan::{NotToday, Plan, Prospect, PutOffFor, plan, prospect};
pub use row::{Field, FieldValue, columns_of, flat_row, masked_body};
pub use search::{Found, search};
pub use status::{
    BatchStatus, CanaryStatus, NextStep, RunStatus, Standing, WaitingFor, held_rows, next_steps, standing, status,
};
pub use tally::{Span, Tally, TroubleRows, chunks, tally};
