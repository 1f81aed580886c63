//! The course of a batch: when it was sent, how fast, what came of it, and what held it up.

use maud::{Markup, html};

use super::text::Text;
use crate::invocation::{Outcome, UnixMillis};
use crate::report::{Campaign, CampaignRun, Span};
use crate::store::STOPPED;
use crate::web::chart::{self, Course, Lane, Mark, MarkKind, SPANS_SHOWN};
use crate::web::words;

/// Lanes for runs that go on at once: more are drawn over one another.
const RUN_LANES_MAX: usize = 4;

pub(in crate::web) fn section(campaign: &Campaign, text: Text) -> Markup {
    let course = course(campaign);
    let lanes = lanes(campaign, &course, text);
    html! {
        (chart::throughput("throughput", &course, &lanes))
        (chart::outcomes("outcomes", &course))
        (chart::answer_times("answer-times", &campaign.tally))
    }
}

/// From when to when its attempts were.
pub(super) fn when(campaign: &Campaign) -> String {
    let Some((first, last)) = course(campaign).bounds() else {
        return "Nothing of it has been attempted yet.".to_owned();
    };
    let (first, last) = (UnixMillis(first * 1_000), UnixMillis(last * 1_000));
    format!("Attempts from {} to {}.", words::moment_bare(first), words::moment(last))
}

fn course(campaign: &Campaign) -> Course {
    let (span_seconds, spans) = campaign.tally.spans(SPANS_SHOWN);
    Course { span_seconds, spans }
}

fn lanes(campaign: &Campaign, course: &Course, text: Text) -> Vec<Lane> {
    let came = |outcome: Outcome| move |span: &Span| span.outcomes.get(&outcome).copied().unwrap_or_default();
    let mut lanes = run_lanes(campaign, text);
    lanes.push(Lane { name: "paused".to_owned(), marks: pauses(campaign, text) });
    let lane = |name, what, came: &dyn Fn(&Span) -> i64| moments(course, name, what, came);
    lanes.push(lane("asked to wait", "the service asked to wait (429)", &came(Outcome::Throttled)));
    lanes.push(lane("unreachable", "the endpoint could not be reached", &came(Outcome::Unreached)));
    // Three among twenty close the gate: how it stood at each moment nobody has written down.
    lanes.push(lane("unclear", "an answer left open whether a text was sent", &|span| span.unclear));
    lanes.retain(|lane| !lane.marks.is_empty());
    lanes
}

/// The spans in which something came, each with how often.
fn moments(course: &Course, name: &str, what: &str, came: &dyn Fn(&Span) -> i64) -> Lane {
    let mark = |(start, span): (&i64, &Span)| {
        let at = UnixMillis(start * 1_000 + course.span_seconds * 500);
        let times = words::counted(Some(came(span)).filter(|times| *times > 0)?.unsigned_abs(), "time");
        let told = format!("{what} {times} from {} on", words::moment_bare(UnixMillis(start * 1_000)));
        Some(Mark { from: at, until: at, kind: MarkKind::Moment, told })
    };
    Lane { name: name.to_owned(), marks: course.spans.iter().filter_map(mark).collect() }
}

fn run_lanes(campaign: &Campaign, text: Text) -> Vec<Lane> {
    let mut lanes: Vec<Lane> = Vec::new();
    for run in &campaign.runs {
        let mark = run_mark(campaign, run, text);
        let is_free = |lane: &Lane| lane.marks.last().is_none_or(|last| last.until <= mark.from);
        let place = lanes.iter().position(is_free).unwrap_or(lanes.len()).min(RUN_LANES_MAX - 1);
        if place == lanes.len() {
            let name = if lanes.is_empty() { "runs" } else { "" };
            lanes.push(Lane { name: name.to_owned(), marks: Vec::new() });
        }
        lanes[place].marks.push(mark);
    }
    lanes
}

fn run_mark(campaign: &Campaign, CampaignRun { run, is_alive, .. }: &CampaignRun, text: Text) -> Mark {
    let from = words::moment_bare(run.started_at);
    let begins = format!("run {} from {from}", run.id.0);
    let (until, kind, told) = match &run.ended {
        Some((at, how)) => {
            let is_fault = how.starts_with(STOPPED) || how == "died";
            let kind = if is_fault { MarkKind::StoppedRun } else { MarkKind::Run };
            (*at, kind, format!("{begins} to {}, {}", words::moment_bare(*at), text.plain(how)))
        }
        None if *is_alive => (campaign.at, MarkKind::LivingRun, format!("{begins}, which goes on")),
        None => (campaign.at, MarkKind::StoppedRun, format!("{begins}, of which nothing more is known")),
    };
    Mark { from: run.started_at, until, kind, told }
}

/// The pauses by the acts that began and ended them.
fn pauses(campaign: &Campaign, text: Text) -> Vec<Mark> {
    let mut pauses: Vec<Mark> = Vec::new();
    let mut open: Option<(UnixMillis, String)> = None;
    let pause = |from: UnixMillis, until: UnixMillis, told: &str| {
        let told = format!("{told} from {} to {}", words::moment_bare(from), words::moment_bare(until));
        Mark { from, until, kind: MarkKind::Pause, told }
    };
    for act in &campaign.actions {
        match (act.kind.as_str(), &open) {
            ("pause", None) => {
                let why = act.reason.as_ref().map(|why| format!(" ({})", text.plain(why))).unwrap_or_default();
                open = Some((act.at, format!("by {}{why}", text.plain(&act.actor.who))));
            }
            ("resume" | "cancel", Some((from, told))) => {
                pauses.push(pause(*from, act.at, told));
                open = None;
            }
            (_, _) => {}
        }
    }
    pauses.extend(open.map(|(from, told)| pause(from, campaign.at, &told)));
    pauses
}
