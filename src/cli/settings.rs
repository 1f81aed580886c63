//! `config`: each setting, its value and where it came from; secrets are told of, and never shown.

use std::fmt::Write;
use std::path::Path;

use serde_json::{Value, json};

use super::config::{self, CONTRACT, Listed, PASSWORD, Parser, Source};
use super::context::Context;
use super::exit::Exit;
use super::output::{self, counted};

/// Where a value ends and the next column begins, if the value leaves room.
const VALUE_WIDTH: usize = 28;

pub(super) fn config(context: &mut Context, parser: &Parser) -> Exit {
    let mut settings = config::listed(parser);
    settings.iter_mut().filter(|setting| setting.key == "db").for_each(|db| {
        if db.source == Source::Default {
            db.value = Some(context.database.to_string());
        }
    });
    let password = password(&settings);
    let place = settings.iter().rposition(|setting| setting.key == "password-file").map_or(0, |place| place + 1);
    settings.insert(place, password);
    if context.out.is_json() {
        settings.iter().for_each(|setting| context.out.data(&format!("{}\n", json_of(setting))));
    } else {
        context.out.data(&text_of(parser.file.as_deref(), &settings));
    }
    let faults: Vec<&Listed> = settings.iter().filter(|setting| setting.fault.is_some()).collect();
    for setting in &faults {
        let (value, fault) = (setting.value.as_deref().unwrap_or_default(), setting.fault.as_deref());
        let source = source_of(setting, Path::to_path_buf);
        output::stderr(&format!("error: `{}` is `{value}` in {source}: {}\n", setting.key, fault.unwrap_or_default()));
    }
    if faults.is_empty() { Exit::Complete } else { Exit::Usage }
}

/// The password has no flag and no key; that there is one, and from where, is all that is told.
fn password(settings: &[Listed]) -> Listed {
    let by_file = settings.iter().find(|setting| setting.key == "password-file" && setting.value.is_some());
    let systemd = std::env::var_os("CREDENTIALS_DIRECTORY").map(|folder| Path::new(&folder).join("mep-batch"));
    let (value, source) = if let Some(file) = by_file {
        ("in that file", file.source.clone())
    } else if systemd.is_some_and(|file| file.exists()) {
        ("set", Source::Variable("CREDENTIALS_DIRECTORY".to_owned()))
    } else if std::env::var_os(PASSWORD).is_some() {
        ("set", Source::Variable(PASSWORD.to_owned()))
    } else {
        ("not set", Source::Default)
    };
    let group = by_file.map_or_else(|| "Process options".to_owned(), |file| file.group.clone());
    let (variable, value) = (Some(PASSWORD.to_owned()), Some(value.to_owned()));
    Listed { group, key: "password".to_owned(), value, default: None, source, variable, fault: None }
}

/// A setting in the documented object.
fn json_of(setting: &Listed) -> Value {
    let (source, file, line) = match &setting.source {
        Source::Default => ("default", None, None),
        Source::Flag => ("flag", None, None),
        Source::Variable(_) => ("variable", None, None),
        Source::File(file, line) => ("file", Some(file.display().to_string()), Some(line)),
    };
    json!({
        "setting": setting.key,
        "group": setting.group,
        "value": setting.value,
        "default": setting.default,
        "source": source,
        "variable": setting.variable,
        "file": file,
        "line": line,
        "fault": setting.fault,
    })
}

fn text_of(file: Option<&Path>, settings: &[Listed]) -> String {
    let mut text = match file {
        Some(file) => format!("The file: {}\n", file.display()),
        None => "The file: none (`--config FILE`, MEP_BATCH_CONFIG, or mep-batch.toml in its usual place)\n".to_owned(),
    };
    let width = settings.iter().map(|setting| setting.key.len()).max().unwrap_or(0);
    let mut group = "";
    for setting in settings {
        if setting.group != group {
            group = &setting.group;
            let _ = writeln!(text, "\n{group}");
        }
        let is_default = setting.source == Source::Default;
        let mark = if is_default { ' ' } else { '*' };
        let value = setting.value.as_deref().unwrap_or("-");
        let source = if is_default {
            String::new()
        } else {
            source_of(setting, |file| file.file_name().map_or_else(|| file.to_owned(), Into::into))
        };
        let line = format!("{mark} {:width$}  {value:VALUE_WIDTH$}  {source}", setting.key);
        let _ = writeln!(text, "{}", line.trim_end());
        if let Some(fault) = &setting.fault {
            let _ = writeln!(text, "  {:width$}  ^ {fault}", "");
        }
    }
    let set = settings.iter().filter(|setting| setting.source != Source::Default).count();
    let _ = writeln!(
        text,
        "\n{} of yours (*); the others have their defaults. A flag beats its\n\
         variable, that beats the file. The variable of `rate` is MEP_BATCH_RATE, the\n\
         flag --rate. What begins with `{CONTRACT}-` stands in the file below `[{CONTRACT}]`,\n\
         without that word.",
        counted(set as u64, "setting")
    );
    text
}

fn source_of(setting: &Listed, shown: impl Fn(&Path) -> std::path::PathBuf) -> String {
    match &setting.source {
        Source::Default => "default".to_owned(),
        Source::Flag => format!("--{}", setting.key),
        Source::Variable(name) => name.clone(),
        Source::File(file, line) => format!("{}:{line}", shown(file).display()),
    }
}
