//! One list of facts, each held against SQLite and against PostgreSQL; what cannot be is reported as ignored, by name.

use std::collections::BTreeSet;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

use crate::cluster::{Database, availability, availability_of_own};

/// A fact's name, and the function that fails where it does not hold.
pub(crate) type Fact = (&'static str, fn(Database));

/// The list of these functions of a [`Database`], by their names; after `async`: asynchronous ones.
macro_rules! facts {
    (async $($fact:ident),+ $(,)?) => {
        &[$((stringify!($fact), (|database: $crate::cluster::Database| {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
            runtime.expect("a runtime").block_on($fact(database));
        }) as fn($crate::cluster::Database))),+] as &[$crate::either::Fact]
    };
    ($($fact:ident),+ $(,)?) => {
        &[$((stringify!($fact), $fact as fn($crate::cluster::Database))),+] as &[$crate::either::Fact]
    };
}
pub(crate) use facts;

/// What facts are held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(dead_code, reason = "each file of tests uses a part of it")]
pub(crate) enum On {
    Either,
    Sqlite,
    Postgres,
    /// A server of PostgreSQL that a test may stop and configure, which one that somebody gave is not.
    OwnPostgres,
}

impl On {
    fn databases(self) -> &'static [Database] {
        match self {
            On::Either => &[Database::Sqlite, Database::Postgres],
            On::Sqlite => &[Database::Sqlite],
            On::Postgres | On::OwnPostgres => &[Database::Postgres],
        }
    }

    /// Whether facts can be held against the database, or else what to install.
    fn availability(self, database: Database) -> Result<(), String> {
        match (database, self) {
            (Database::Sqlite, _) => Ok(()),
            (Database::Postgres, On::OwnPostgres) => availability_of_own(),
            (Database::Postgres, On::Either | On::Sqlite | On::Postgres) => availability(),
        }
    }
}

/// The `main` of a file of tests: `sqlite::a_fact` and `postgres::a_fact` for each fact of the lists.
pub(crate) fn run(lists: &[(On, &[Fact])]) -> ExitCode {
    let arguments = Arguments::from_args();
    let mut trials = Vec::new();
    let mut missing = BTreeSet::new();
    for (on, facts) in lists {
        for database in on.databases() {
            let availability = on.availability(*database);
            let is_ignored = availability.is_err();
            trials.extend(facts.iter().map(|fact| trial(*database, fact).with_ignored_flag(is_ignored)));
            missing.extend(availability.err());
        }
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    for text in missing {
        tell(&format!("the tests on PostgreSQL were ignored: {text}"));
    }
    conclusion.exit_code()
}

fn trial(database: Database, (name, fact): &Fact) -> Trial {
    let place = match database {
        Database::Sqlite => "sqlite",
        Database::Postgres => "postgres",
    };
    let fact = *fact;
    Trial::test(format!("{place}::{name}"), move || {
        fact(database);
        Ok(())
    })
}

#[expect(clippy::print_stderr, reason = "whoever runs the tests reads it")]
fn tell(text: &str) {
    eprintln!("{text}");
}
