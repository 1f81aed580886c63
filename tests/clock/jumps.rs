//! The wall clock is set forward and back while a campaign with retries is sent, and the process is stopped and goes on.

use fastrand::Rng;
use jiff::{Span, Timestamp};
use rustix::process::Signal;

use crate::rounds::rounds;
use crate::scenario::{Running, Scenario, Simulator, until};
use crate::wall::Wall;

/// So many that those behind the last blow would be a burst if they went as fast as they can.
const ROWS: u32 = 400;
/// Enough where a run is stopped by its blow.
const FEWER: u32 = 150;
const RATE: usize = 100;
const CONCURRENCY: usize = 24;
/// What may go at once after a pause.
const BURST: usize = RATE / 2;
/// What is in flight is received as late and as much at once as a busy machine has it. All of it is less than the second's worth
/// beyond the rate that is promised.
const SLACK: usize = BURST + CONCURRENCY;
/// How much later a run may see that its clock was set.
const GLANCE_MS: i64 = 500;
const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;
/// How far a clock is set.
const JUMPS_MS: [i64; 7] = [5_000, 2 * MINUTE_MS, 10 * MINUTE_MS, HOUR_MS, 8 * HOUR_MS, DAY_MS, 400 * DAY_MS];

/// What happens to a run, after that many requests.
#[derive(Debug, Clone, Copy)]
struct Blow {
    after: usize,
    /// By how much the clock is set.
    jump_ms: i64,
    /// How long the process is stopped meanwhile.
    asleep_ms: u64,
}

impl Blow {
    fn any(rng: &mut Rng) -> Blow {
        let jump_ms = JUMPS_MS[rng.usize(..JUMPS_MS.len())] * if rng.bool() { 1 } else { -1 };
        let asleep_ms = if rng.u8(..3) == 0 { rng.u64(50..800) } else { 0 };
        // A process that is only stopped, too.
        let jump_ms = if asleep_ms > 0 && rng.u8(..3) == 0 { 0 } else { jump_ms };
        Blow { after: rng.usize(1..ROWS as usize / 4), jump_ms, asleep_ms }
    }
}

/// Lets it happen; when the clock was set forward. Where the run has ended before, that is nothing to it.
fn strike(blows: &[Blow], run: &mut Running, sim: &Simulator, wall: &Wall) -> Vec<i64> {
    let (mut ahead_ms, mut forward) = (0, Vec::new());
    for blow in blows {
        until("requests", || sim.received() >= blow.after || run.has_ended());
        let sleeps = blow.asleep_ms > 0;
        if sleeps && !run.has_ended() {
            run.send(Signal::STOP);
        }
        if sleeps {
            std::thread::sleep(std::time::Duration::from_millis(blow.asleep_ms));
        }
        ahead_ms += blow.jump_ms;
        if blow.jump_ms > 0 {
            forward.push(Timestamp::now().as_millisecond());
        }
        wall.set(ahead_ms);
        if sleeps && !run.has_ended() {
            run.send(Signal::CONT);
        }
    }
    forward
}

/// Holds each stretch of time against the rate, by the stand-in's clock, which nobody sets. As often as the run's is set
/// forward it takes the time for a pause, of whatever length, and no longer one than it takes to save up a burst.
fn has_no_burst(sim: &Simulator, blows: &[Blow], forward: &[i64]) {
    let mut at: Vec<i64> = sim
        .receipts()
        .iter()
        .map(|receipt| receipt.at.parse::<Timestamp>().expect("a moment").as_millisecond())
        .collect();
    at.sort_unstable();
    for (first, from) in at.iter().enumerate() {
        for (last, until) in at.iter().enumerate().skip(first) {
            let pauses = forward.iter().filter(|at| (from - GLANCE_MS..=*until).contains(at)).count();
            let allowed = usize::try_from(until - from).expect("sorted") * RATE / 1_000 + SLACK + pauses * BURST;
            let count = last - first + 1;
            assert!(count <= allowed, "{count} requests in {} ms, {allowed} allowed: {blows:?}", until - from);
        }
    }
}

#[test]
fn a_clock_that_is_set_makes_retries_neither_burst_nor_freeze() {
    rounds("clock", 2, |rng, figures| {
        // In one of any two rounds the last blow sets the clock forward for certain: nothing else could make a burst.
        let is_set_forward = rng.get_seed() % 2 == 0;
        let s = Scenario::new();
        let wall = Wall::of(&s);
        // Few of those that close the gate: behind a closed one there is no burst.
        let faults = "--fault 1010=15% --fault 429=0.5% --fault 503=1%";
        let sim = s.simulate(&format!("{faults} --latency {}ms", rng.u8(..15)));
        let quick = "--vendor-retry 300ms --retry-initial 100ms --retry-max 1s --probe-after 100ms";
        let import = format!("import campaign.csv --endpoint {sim} --rate {RATE} {quick} --max-unknown {ROWS}");
        s.campaign(ROWS).mep(&import).exits(0);
        let mut blows: Vec<Blow> = (0..rng.usize(1..4)).map(|_| Blow::any(rng)).collect();
        blows.sort_by_key(|blow| blow.after);
        if is_set_forward {
            blows.last_mut().expect("one at least").jump_ms = HOUR_MS;
        }
        let mut run = Running::start(&mut wall.command(&s, &format!("run campaign --concurrency {CONCURRENCY}")), b"");
        let forward = strike(&blows, &mut run, &sim, &wall);
        let done = run.finish();
        assert!([0, 3, 4].contains(&done.code), "{blows:?}\n{}", done.output());
        assert_eq!(
            s.query("SELECT count(*) FROM invocation WHERE state IN ('pending', 'sending')"),
            ["0"],
            "{blows:?}"
        );
        has_no_burst(&sim, &blows, &forward);
        s.audit(ROWS.into());
        figures.count("campaigns", 1);
        figures.count("clocks set forward", blows.iter().filter(|blow| blow.jump_ms > 0).count());
        figures.count("clocks set back", blows.iter().filter(|blow| blow.jump_ms < 0).count());
        figures.count("sleeps", blows.iter().filter(|blow| blow.asleep_ms > 0).count());
        figures.count("requests", sim.received());
    });
}

#[test]
fn a_clock_that_is_set_stops_a_run_that_keeps_hours_and_the_next_goes_on() {
    rounds("clock-hours", 2, |rng, figures| {
        let s = Scenario::new();
        let wall = Wall::of(&s);
        let sim = s.simulate("--fault 1010=10% --latency 10ms");
        let hours = open_now();
        let import = format!("import campaign.csv --endpoint {sim} --rate {RATE} {hours} --vendor-retry 300ms");
        s.campaign(FEWER).mep(&import).exits(0);
        let blow = Blow {
            jump_ms: JUMPS_MS[rng.usize(1..JUMPS_MS.len())] * if rng.bool() { 1 } else { -1 },
            ..Blow::any(rng)
        };
        let mut run = Running::start(&mut wall.command(&s, &format!("run campaign --concurrency {CONCURRENCY}")), b"");
        strike(&[blow], &mut run, &sim, &wall);
        run.finish().exits(6).says("clock jumped").says("nobody is to be sent to at a wrong hour");
        let received = sim.received();
        assert!(received < FEWER as usize, "{blow:?}: all was sent");
        // What had been taken by then, and no more: it went by the clock as it was before.
        let late = s.query(&format!(
            "SELECT count(*) FROM attempt WHERE abs(sent_at - {}) > {}",
            Timestamp::now().as_millisecond(),
            blow.jump_ms.abs() / 2
        ));
        let late: usize = late[0].parse().expect("a number");
        assert!(late <= CONCURRENCY, "{blow:?}: {late} requests left by the clock that was set");
        wall.set(0);
        let done = Running::start(&mut wall.command(&s, "run campaign"), b"").finish();
        assert!([0, 3].contains(&done.code), "{blow:?}: {}", done.output());
        // The 24 hours of a retry that was noted by the clock that was set may be over by the right one.
        let failed: usize =
            s.query("SELECT count(*) FROM invocation WHERE state = 'failed'")[0].parse().expect("a number");
        assert!(failed <= CONCURRENCY, "{blow:?}: {failed} rows failed");
        assert_eq!(
            s.query("SELECT count(*) FROM invocation WHERE state NOT IN ('accepted', 'failed')"),
            ["0"],
            "{blow:?}"
        );
        s.audit(FEWER.into());
        figures.count("failed by the clock that was set", failed);
        figures.count("campaigns", 1);
        figures.count("requests", sim.received());
        figures.count("requests by the clock that was set", late);
    });
}

#[test]
fn what_a_wrong_clock_put_off_is_sent_once_the_clock_is_right() {
    let s = Scenario::new();
    let wall = Wall::of(&s);
    let sim = s.simulate("");
    s.campaign(5).mep(&format!("import campaign.csv --endpoint {sim} {}", open_now())).exits(0);
    wall.set(10 * HOUR_MS);
    let run = Running::start(&mut wall.command(&s, "run campaign"), b"");
    run.until_it_says("outside the window");
    assert_eq!(s.query("SELECT count(*) FROM invocation WHERE hold = 'window'"), ["5"]);
    wall.set(0);
    run.finish().exits(6).says("clock jumped back");
    assert_eq!(sim.received(), 0);
    Running::start(&mut wall.command(&s, "run campaign"), b"").finish().exits(0);
    s.audit(5);
}

/// A window that opened two hours ago and closes in three, in UTC.
fn open_now() -> String {
    let hour = |hours: i64| {
        let at = Timestamp::now().checked_add(Span::new().hours(hours)).expect("a moment of today");
        at.strftime("%H:00").to_string()
    };
    format!("--window {}-{} --time-zone UTC", hour(-2), hour(3))
}
