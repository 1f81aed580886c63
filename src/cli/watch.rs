//! `status --watch`: the same again, until nothing runs.

use std::io::{self, IsTerminal};
use std::time::Duration;

use serde_json::Value;

use super::colour;
use super::context::Context;
use super::status::Picture;
use crate::store::{Notes, Store};

/// How often a screen is drawn anew.
const ON_A_SCREEN: Duration = Duration::from_secs(1);
/// How often it is printed again elsewhere, at most: where nothing has changed it is not.
const ELSEWHERE: Duration = Duration::from_secs(2);
/// The keys of a run that change though nothing has happened.
const RESTLESS: [&str; 3] = ["lastSeenAt", "silentForMs", "rate"];

/// Shows how the batches stand until no run lives; the last picture.
pub(super) async fn watch(
    context: &mut Context,
    store: &Store,
    batch: Option<&str>,
    notes: Option<&Notes>,
) -> anyhow::Result<Picture> {
    let is_screen = !context.out.is_json() && io::stdout().is_terminal() && colour::is_able(std::env::var_os("TERM"));
    let mut before = None;
    loop {
        let picture = Picture::take(store, batch, notes).await?;
        let seen = steady(picture.objects()?);
        if is_screen || before.as_ref() != Some(&seen) {
            let shown = picture.shown(context, store)?;
            if is_screen {
                context.out.clear_screen();
            }
            context.out.data(&shown);
        }
        before = Some(seen);
        if !picture.is_running() || context.out.is_closed() {
            return Ok(picture);
        }
        tokio::time::sleep(if is_screen { ON_A_SCREEN } else { ELSEWHERE }).await;
    }
}

/// The figures without what changes by itself.
fn steady(mut objects: Vec<Value>) -> Vec<Value> {
    for object in &mut objects {
        if let Some(status) = object.as_object_mut() {
            ["rate", "eta"].iter().for_each(|key| drop(status.remove(*key)));
            let runs = status.get_mut("runs").and_then(Value::as_array_mut);
            for run in runs.into_iter().flatten().filter_map(Value::as_object_mut) {
                RESTLESS.iter().for_each(|key| drop(run.remove(*key)));
            }
        }
    }
    objects
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_changes_by_itself_is_no_change() {
        let status = |accepted: u32, seen: u32| {
            json!({ "states": { "accepted": accepted }, "eta": seen, "rate": seen,
                    "runs": [{ "pid": 1, "silentForMs": seen, "lastSeenAt": seen }] })
        };
        assert_eq!(steady(vec![status(1, 1)]), steady(vec![status(1, 2)]));
        assert_ne!(steady(vec![status(1, 1)]), steady(vec![status(2, 1)]));
    }
}
