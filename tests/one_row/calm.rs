//! What becomes of a world in which nothing goes wrong any more: everybody does what there is to do, and the service accepts.

use mep_batch::invocation::State;

use super::one_row::came::Came;
use super::one_row::event::Event;
use super::one_row::process::{Held, Process, Stage};
use super::one_row::queue::Commit;
use super::one_row::search::Keys;
use super::one_row::weakness::Weakness;
use super::one_row::world::{Violation, World};

/// Lets everybody in each of the worlds go on until there is nothing left to do: the row is where it stays until an operator
/// says something, and whatever a living process knew is in the database.
///
/// # Errors
///
/// What is otherwise, and the place of the world from which it came to that.
pub(crate) fn all_settle(worlds: &[World]) -> Result<(), (Violation, usize)> {
    let mut settling = Keys::default();
    for (place, world) in worlds.iter().enumerate() {
        settles(*world, &mut settling).map_err(|violation| (violation, place))?;
    }
    Ok(())
}

/// `settling`: worlds that are known to settle.
fn settles(mut world: World, settling: &mut Keys) -> Result<(), Violation> {
    let is_known_to_be_accepted = is_known_to_be_accepted(&world);
    let mut path = Vec::new();
    loop {
        let key = world.key(Weakness::None);
        if path.contains(&key) {
            return Err("a row goes on for ever");
        }
        if settling.contains(&key) && !is_known_to_be_accepted {
            break;
        }
        path.push(key);
        let Some(event) = next(&world) else {
            check(&world, is_known_to_be_accepted)?;
            break;
        };
        world.step(event, Weakness::None)?;
    }
    settling.extend(path);
    Ok(())
}

/// Whether a process knows that the row's last attempt was accepted, and nobody has decided otherwise of the row.
fn is_known_to_be_accepted(world: &World) -> bool {
    let is_its = |process: &Process| {
        let is_last =
            |held: Held| held.ticket.attempt == world.queue.attempt && held.stage == Stage::Ended(Came::Accepted);
        world.queue.run == Some(process.run) && process.held.is_some_and(is_last)
    };
    let is_open = matches!(world.queue.state, State::Sending | State::Unknown | State::Pending);
    is_open && world.processes.iter().flatten().any(is_its)
}

fn check(world: &World, is_known_to_be_accepted: bool) -> Result<(), Violation> {
    let is_idle = |process: &Process| process.is_idle();
    match world.queue.state {
        State::Pending | State::Sending => Err("a row is stuck"),
        _ if !world.processes.iter().flatten().all(is_idle) => Err("a process has something to tell and does not"),
        State::Accepted => Ok(()),
        State::Unknown | State::Rejected | State::Failed | State::Skipped | State::Cancelled
            if is_known_to_be_accepted =>
        {
            Err("a living process knew that the row was accepted, and the row does not say so")
        }
        State::Unknown | State::Rejected | State::Failed | State::Skipped | State::Cancelled => Ok(()),
    }
}

/// The next thing that somebody does; `None`: there is nothing to do.
fn next(world: &World) -> Option<Event> {
    let processes = || world.processes.iter().enumerate().filter_map(|(place, p)| Some((place, p.as_ref()?)));
    if let Some(event) = processes().find_map(|(place, process)| next_of(place, process)) {
        return Some(event);
    }
    let queue = &world.queue;
    match queue.state {
        State::Sending => queue.run.filter(|run| world.place_of(*run).is_none()).map(Event::IsJudged),
        State::Pending if queue.is_cancelled => Some(Event::CancelsPending),
        State::Pending => {
            // A run that was ended learns it in its next turn, and exits.
            let is_over = |process: &Process| queue.run(process.run).is_ended;
            if let Some((place, _)) = processes().find(|(_, process)| is_over(process)) {
                return Some(Event::Exits(place));
            }
            let up = processes().map(|(place, _)| Event::Takes(place, Commit::Confirmed)).next();
            Some(up.unwrap_or(Event::Starts(0)))
        }
        State::Accepted | State::Rejected | State::Failed | State::Unknown | State::Skipped | State::Cancelled => None,
    }
}

fn next_of(place: usize, process: &Process) -> Option<Event> {
    if process.is_silent {
        return Some(Event::Wakes(place));
    }
    let of_stage = process.held.and_then(|held| match held.stage {
        Stage::Handed => Some(Event::Checks(place)),
        Stage::Stale => Some(Event::Withholds(place, Came::GivenBack)),
        Stage::Checked => Some(Event::Writes(place)),
        Stage::OnWire => Some(Event::Hears(place, Came::Accepted)),
        Stage::Ended(_) => None,
    });
    let of_store = || {
        if process.trouble.is_some() {
            Some(Event::Mends(place, Commit::Confirmed))
        } else if process.finished().is_empty() {
            None
        } else {
            Some(Event::Stores(place, Commit::Confirmed))
        }
    };
    of_stage.or_else(of_store)
}
