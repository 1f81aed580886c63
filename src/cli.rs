//! The command line: words for people. Parses, hands over, renders, and knows the exit codes.

mod about;
mod actor;
mod args;
mod bar;
mod bar_text;
mod canary;
mod check;
mod choice;
mod colour;
mod config;
mod confirm;
mod context;
mod control;
mod credentials;
mod database;
mod doctor;
mod dry_run;
mod exclusion_text;
mod exit;
mod export;
mod failure;
mod forecast;
mod generated;
mod group_text;
mod import;
mod list;
mod logs;
mod mapping;
mod mapping_table;
mod metrics_file;
mod output;
mod panics;
mod phone_rules;
mod phone_table;
mod plan_text;
mod problems;
mod progress;
mod proxy;
mod purge;
mod reference;
mod report;
mod resend;
mod resolve;
mod results_file;
mod retry;
mod rolled_back;
mod run;
mod run_end;
mod run_table;
mod same_reading;
mod serve;
mod settings;
mod show;
mod signals;
mod silent_runs;
mod simulate;
mod stand_in;
mod status;
mod steering;
mod support_text;
mod suppression;
mod time_zone;
mod typed;
mod unknown_rows;
mod verdict_file;
mod verdict_text;
mod version;
mod watch;
mod when;
mod withheld;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::parser::ValueSource;
use clap::{ArgMatches, FromArgMatches};

use args::{Cli, Command};
use context::Context;
use exit::Exit;

pub use reference::{parses, reference};

/// Runs the program with its arguments, the program's name first.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    panics::tell_as_errors();
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    if let Some(command) = generated::command(&arguments) {
        return generated::print(&command);
    }
    logs::foresee(&arguments);
    let mut parser = match refuse_typed_passwords(&arguments).and_then(|()| config::Parser::new(&arguments)) {
        Ok(parser) => parser,
        Err(error) => return failure::before_parsing(&arguments, &error),
    };
    parser.command = version::told(parser.command, &arguments);
    let matches = parser.command.clone().try_get_matches_from(&arguments);
    let database = |matches: &ArgMatches| matches.value_source("db") == Some(ValueSource::CommandLine);
    match matches.and_then(|matches| Ok((Cli::from_arg_matches(&matches)?, database(&matches)))) {
        Ok((cli, is_database_typed)) => run_to_exit(cli, is_database_typed, &parser).into(),
        Err(error) => match parser.explained(&error) {
            Some(error) => failure::before_parsing(&arguments, &error),
            None => failure::of_arguments(&arguments, &error),
        },
    }
}

/// Refuses passwords that everybody on the machine can read, before anything repeats them.
fn refuse_typed_passwords(arguments: &[OsString]) -> anyhow::Result<()> {
    database::refuse_typed_password(arguments)?;
    proxy::refuse_typed_password(arguments)
}

fn run_to_exit(cli: Cli, is_database_typed: bool, parser: &config::Parser) -> Exit {
    logs::begin(&cli.global);
    let mut context = match Context::new(&cli.global) {
        Ok(context) => context,
        Err(error) => return failure::tell(cli.global.json, &error),
    };
    if let Some(typed) = cli.global.db.as_deref().filter(|_| is_database_typed) {
        typed::remember(&context.database, typed);
    }
    parser.unknown_variables().iter().for_each(|warning| context.out.note(warning));
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failure::tell(cli.global.json, &anyhow::Error::new(error).context("cannot start")),
    };
    let done = runtime.block_on(dispatch(&mut context, cli.command, parser));
    match done {
        Ok(exit) => context.out.finish(exit),
        Err(error) => {
            let exit = failure::tell(context.out.is_json(), &error);
            context.out.finish(exit)
        }
    }
}

async fn dispatch(context: &mut Context, command: Command, parser: &config::Parser) -> anyhow::Result<Exit> {
    match command {
        Command::Check(args) => check::check(context, *args).await,
        Command::Import(args) => import::import(context, *args).await,
        Command::Run(args) => run::run(context, *args).await,
        Command::Status(args) => status::status(context, args).await,
        Command::List(args) => list::list(context, args).await,
        Command::Show(args) => show::show(context, args).await,
        Command::Export(args) => export::export(context, args).await,
        Command::Report(args) => report::report(context, args).await,
        Command::Retry(args) => retry::retry(context, args).await,
        Command::Resolve(args) => resolve::resolve(context, args).await,
        Command::Pause(args) => control::pause(context, args).await,
        Command::Resume(args) => control::resume(context, args).await,
        Command::Cancel(args) => control::cancel(context, args).await,
        Command::Throttle(args) => control::throttle(context, args).await,
        Command::Serve(args) => serve::serve(context, args).await,
        Command::Simulate(args) => simulate::simulate(context, args).await,
        Command::Purge(args) => purge::purge(context, args).await,
        Command::Doctor(args) => doctor::doctor(context, args).await,
        Command::Completions(_) | Command::Man(_) => {
            unreachable!("`main` prints what is generated before anything is read")
        }
        Command::Config => Ok(settings::config(context, parser)),
    }
}
