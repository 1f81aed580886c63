//! A page of Prometheus's text format, taken apart without the program's help.

use std::collections::{BTreeMap, BTreeSet};

/// The figures of a page, by the name and the labels as they stand.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Figures {
    pub(crate) text: String,
    by_series: BTreeMap<String, f64>,
}

impl Figures {
    /// Reads a page; each line has to be whole, each family explained before its figures, and no series there twice.
    #[track_caller]
    pub(crate) fn read(text: &str) -> Figures {
        assert!(text.ends_with('\n'), "it breaks off: {text}");
        let (mut by_series, mut explained) = (BTreeMap::new(), BTreeSet::new());
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ").or(line.strip_prefix("# TYPE ")) {
                explained.insert(rest.split(' ').next().unwrap_or_default().to_owned());
                continue;
            }
            let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| unreachable!("`{line}` is no figure"));
            let name = series.split('{').next().unwrap_or_default();
            let family = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| name.strip_suffix(suffix));
            assert!(
                explained.contains(name) || family.is_some_and(|family| explained.contains(family)),
                "`{name}` is not explained"
            );
            let value: f64 = value.parse().unwrap_or_else(|_| unreachable!("`{line}` has no number"));
            assert_eq!(by_series.insert(series.to_owned(), value), None, "`{series}` is there twice");
        }
        Figures { text: text.to_owned(), by_series }
    }

    pub(crate) fn get(&self, series: &str) -> Option<f64> {
        self.by_series.get(series).copied()
    }

    #[track_caller]
    pub(crate) fn of(&self, series: &str) -> f64 {
        self.get(series).unwrap_or_else(|| unreachable!("no `{series}` in:\n{}", self.text))
    }

    /// The figures of a family that are not 0, by the values of their labels: `accepted none`.
    pub(crate) fn family(&self, name: &str) -> BTreeMap<String, f64> {
        let of_family = |(series, value): (&String, &f64)| {
            let labels = series.strip_prefix(name)?.strip_prefix('{')?.strip_suffix('}')?;
            let values: Vec<&str> = labels.split('"').skip(1).step_by(2).collect();
            (*value > 0.0).then(|| (values.join(" "), *value))
        };
        self.by_series.iter().filter_map(of_family).collect()
    }

    /// Every family that is explained.
    pub(crate) fn families(&self) -> BTreeSet<String> {
        let name = |line: &str| Some(line.strip_prefix("# TYPE ")?.split(' ').next()?.to_owned());
        self.text.lines().filter_map(name).collect()
    }
}
