//! Prometheus's text format 0.0.4: families of figures, each with what it is.

use std::fmt::{self, Display, Write};

use super::histogram::Histogram;

/// What the format is called in HTTP.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// How a family's figures move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// They only grow, and begin at 0 again with another process.
    Counter,
    /// They go up and down.
    Gauge,
    /// How many observations were no larger than each of some bounds.
    Histogram,
}

impl Kind {
    /// The word for it in the format.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        }
    }
}

/// Who tells a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Teller {
    /// Whoever reads the database: the server at `/metrics`, and a run in its file.
    Both,
    /// The server alone, which counts what is stored.
    Server,
    /// A run alone, of itself.
    Run,
}

/// Figures of one name.
#[derive(Debug, PartialEq, Eq)]
pub struct Family {
    /// Its name.
    pub name: &'static str,
    /// How its figures move.
    pub kind: Kind,
    /// What tells its figures apart.
    pub labels: &'static [&'static str],
    /// Who tells it.
    pub told_by: Teller,
    /// What it is.
    pub help: &'static str,
}

/// A page of figures while it is written: each family stands together, whatever the order in which its figures come.
#[derive(Debug, Default)]
pub(super) struct Exposition(Vec<(&'static Family, String)>);

impl Exposition {
    /// Adds a figure; the values of its labels stand in the order of the family's.
    pub(super) fn add(&mut self, family: &'static Family, labels: &[&str], value: impl Display) {
        self.sample(family, "", labels, None, &value);
    }

    /// Adds a histogram of seconds.
    pub(super) fn add_histogram(&mut self, family: &'static Family, labels: &[&str], histogram: &Histogram) {
        for (bound, count) in histogram.buckets() {
            let bound = bound.map_or_else(|| "+Inf".to_owned(), |bound| bound.as_secs_f64().to_string());
            self.sample(family, "_bucket", labels, Some(&bound), &count);
        }
        self.sample(family, "_sum", labels, None, &histogram.sum().as_secs_f64());
        self.sample(family, "_count", labels, None, &histogram.count());
    }

    fn sample(
        &mut self,
        family: &'static Family,
        suffix: &str,
        labels: &[&str],
        bound: Option<&str>,
        value: &dyn Display,
    ) {
        let place = self.0.iter().position(|(known, _)| known.name == family.name).unwrap_or_else(|| {
            self.0.push((family, String::new()));
            self.0.len() - 1
        });
        let text = &mut self.0[place].1;
        let _ = write!(text, "{}{suffix}", family.name); // writing to a string does not fail
        let named = family.labels.iter().copied().zip(labels.iter().copied()).chain(bound.map(|bound| ("le", bound)));
        for (number, (name, value)) in named.enumerate() {
            let _ = write!(text, "{}{name}=\"{}\"", if number == 0 { '{' } else { ',' }, escaped(value));
        }
        if !labels.is_empty() || bound.is_some() {
            text.push('}');
        }
        let _ = writeln!(text, " {value}");
    }
}

impl Display for Exposition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (Family { name, kind, help, .. }, samples) in &self.0 {
            let help = help.replace('\\', r"\\").replace('\n', r"\n");
            write!(f, "# HELP {name} {help}\n# TYPE {name} {}\n{samples}", kind.as_str())?;
        }
        Ok(())
    }
}

/// A label's value as it stands between its quotes.
fn escaped(value: &str) -> String {
    value.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const GAUGE: Family = Family {
        name: "a_gauge",
        kind: Kind::Gauge,
        labels: &["one", "two"],
        told_by: Teller::Both,
        help: "A \\ and\nanother line.",
    };
    const TIMES: Family =
        Family { name: "times_seconds", kind: Kind::Histogram, labels: &[], told_by: Teller::Both, help: "Times." };

    #[test]
    fn what_ends_a_value_or_a_line_is_escaped() {
        static FAMILY: Family = GAUGE;
        let mut page = Exposition::default();
        page.add(&FAMILY, &["a\"b\\c\nd", "ö"], 1);
        assert_eq!(
            page.to_string(),
            "# HELP a_gauge A \\\\ and\\nanother line.\n# TYPE a_gauge gauge\n\
             a_gauge{one=\"a\\\"b\\\\c\\nd\",two=\"ö\"} 1\n"
        );
    }

    #[test]
    fn a_family_stands_together_and_is_explained_once() {
        static FAMILY: Family = GAUGE;
        static OTHER: Family = TIMES;
        let mut page = Exposition::default();
        page.add(&FAMILY, &["1", "2"], 0.25);
        page.add(&OTHER, &[], 7);
        page.add(&FAMILY, &["3", "4"], 5);
        let text = page.to_string();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[2..4], ["a_gauge{one=\"1\",two=\"2\"} 0.25", "a_gauge{one=\"3\",two=\"4\"} 5"]);
        assert_eq!((text.matches("# HELP").count(), text.matches("# TYPE").count()), (2, 2));
        assert!(text.ends_with("times_seconds 7\n"), "{text}");
    }

    #[test]
    fn a_histogram_counts_up_to_each_bound_and_beyond() {
        static FAMILY: Family = TIMES;
        static BOUNDS: [Duration; 2] = [Duration::from_millis(5), Duration::from_secs(1)];
        let mut histogram = Histogram::of(&BOUNDS);
        for ms in [1, 5, 6, 2_000] {
            histogram.note(Duration::from_millis(ms), 1);
        }
        let mut page = Exposition::default();
        page.add_histogram(&FAMILY, &[], &histogram);
        let text = page.to_string();
        let samples: Vec<&str> = text.lines().skip(2).collect();
        assert_eq!(
            samples,
            [
                "times_seconds_bucket{le=\"0.005\"} 2",
                "times_seconds_bucket{le=\"1\"} 3",
                "times_seconds_bucket{le=\"+Inf\"} 4",
                "times_seconds_sum 2.012",
                "times_seconds_count 4"
            ]
        );
    }
}
