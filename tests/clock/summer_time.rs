//! Runs that begin right before, in and behind an edge of summer time, in several zones: what leaves does so within the hours of
//! the recipient's wall clock, and what does not is put off to the first minute at which it may.

use fastrand::Rng;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

use crate::rounds::rounds;
use crate::scenario::{Running, SERVICE, Scenario, phone};
use crate::wall::Wall;

/// Zones and a moment in the days around which their clocks are changed: by an hour, by half of one, at midnight, over the date line, never.
const CHANGES: [(&str, &str); 12] = [
    ("Europe/Berlin", "2026-03-29T01:00Z"),
    ("Europe/Berlin", "2026-10-25T01:00Z"),
    ("Europe/London", "2026-10-25T01:00Z"),
    ("America/New_York", "2026-03-08T07:00Z"),
    ("America/New_York", "2026-11-01T06:00Z"),
    ("Australia/Lord_Howe", "2026-04-04T15:00Z"),
    ("Australia/Lord_Howe", "2026-10-03T15:30Z"),
    ("America/Santiago", "2026-04-05T03:00Z"),
    ("America/Santiago", "2026-09-06T04:00Z"),
    ("Pacific/Apia", "2011-12-30T10:00Z"),
    ("America/St_Johns", "2010-11-07T02:31Z"),
    ("Asia/Kathmandu", "2026-06-01T00:00Z"),
];

const MINUTE_MS: i64 = 60_000;
/// Every minute of these days is looked at.
const MINUTES_AHEAD: i64 = 3 * 24 * 60;

/// A window by its minutes of the day, written anew from what it is to mean.
#[derive(Debug, Clone, Copy)]
struct Hours {
    from: i64,
    until: i64,
}

impl Hours {
    /// One of its edges is near the change.
    fn any(rng: &mut Rng, near_minute: i64) -> Hours {
        let near = (near_minute + rng.i64(-90..90)).rem_euclid(1_440);
        let length = rng.i64(15..1_400);
        let from = if rng.bool() { near } else { (near - length).rem_euclid(1_440) };
        Hours { from, until: (from + length).rem_euclid(1_440) }
    }

    fn text(self) -> String {
        let Hours { from, until } = self;
        format!("{:02}:{:02}-{:02}:{:02}", from / 60, from % 60, until / 60, until % 60)
    }

    fn is_open(self, zone: &TimeZone, at_ms: i64) -> bool {
        let time = Timestamp::from_millisecond(at_ms).expect("a moment").to_zoned(zone.clone()).time();
        let minute = i64::from(time.hour()) * 60 + i64::from(time.minute());
        if self.from < self.until {
            (self.from..self.until).contains(&minute)
        } else {
            minute >= self.from || minute < self.until
        }
    }

    /// The first moment from then on at which it is open.
    fn opens(self, zone: &TimeZone, at_ms: i64) -> i64 {
        if self.is_open(zone, at_ms) {
            return at_ms;
        }
        let next = at_ms.div_euclid(MINUTE_MS) + 1;
        let minutes = (next..next + MINUTES_AHEAD).map(|minute| minute * MINUTE_MS);
        minutes.into_iter().find(|at_ms| self.is_open(zone, *at_ms)).expect("each zone's day has the hour")
    }
}

#[test]
fn around_each_edge_of_summer_time_rows_leave_in_their_hours_and_else_wait_for_them() {
    rounds("summer-time", 4, |rng, figures| {
        let (name, change) = CHANGES[rng.usize(..CHANGES.len())];
        let change: Timestamp = change.parse().expect("a moment");
        let zones: Vec<&str> = [name, "UTC", CHANGES[rng.usize(..CHANGES.len())].0, "Asia/Kolkata"].into();
        let local = change.to_zoned(TimeZone::get(name).expect("a zone")).time();
        let hours = Hours::any(rng, i64::from(local.hour()) * 60 + i64::from(local.minute()));
        let begin = change.checked_add(Span::new().seconds(rng.i64(-7_200..7_200))).expect("a moment");
        let what = format!("{} in {name} from {begin}", hours.text());

        let s = Scenario::new();
        let wall = Wall::of(&s);
        let sim = s.simulate("");
        let rows = zones.iter().zip(0..).map(|(zone, person)| format!("{SERVICE},{},{zone},x\n", phone(person)));
        s.write("campaign.csv", format!("serviceId,phoneNumber,timeZone,session.a\n{}", rows.collect::<String>()));
        s.mep(&format!("import campaign.csv --endpoint {sim} --window {}", hours.text())).exits(0);
        let mut begins = begin.as_millisecond();
        // Each run begins when the one before said that the next row is due: at most one for each zone, and the first.
        for runs in 0.. {
            assert!(runs <= zones.len(), "{what}: {} after {runs} runs", s.states());
            wall.set_to(Timestamp::from_millisecond(begins).expect("a moment"));
            let done = Running::start(&mut wall.command(&s, "run campaign --wait 0"), b"").finish();
            assert!([0, 5].contains(&done.code), "{what}: {}", done.output());
            figures.count("runs", 1);
            let pending = s.query("SELECT due_at FROM invocation WHERE state = 'pending' ORDER BY due_at");
            let Some(next) = pending.first() else { break };
            begins = next.parse::<i64>().expect("a moment").max(begins + 1);
        }
        for (line, zone) in (2..).zip(&zones) {
            let of_line = |column: &str| {
                let sql = format!(
                    "SELECT {column} FROM attempt WHERE invocation_id = (SELECT id FROM invocation WHERE line = {line})"
                );
                s.query(&sql).remove(0).parse::<i64>().expect("a number")
            };
            let (sent, zone) = (of_line("sent_at"), TimeZone::get(zone).expect("a zone"));
            let opens = hours.opens(&zone, begin.as_millisecond());
            assert!(hours.is_open(&zone, sent), "{what}: line {line} was sent at {sent}, outside its hours");
            assert_eq!(of_line("count(*)"), 1, "{what}: line {line}");
            // The run before may have taken seconds on a busy machine, and it is as late that the first minute is found.
            assert!(
                (opens..opens + MINUTE_MS).contains(&sent),
                "{what}: line {line} was sent at {sent}, not at {opens}"
            );
            figures.count("put off", usize::from(opens > begin.as_millisecond()));
        }
        s.audit_of_other_clock(zones.len() as u64);
        figures.count("rows", zones.len());
    });
}
