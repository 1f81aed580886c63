//! Where the queue is: a file of this machine, or a PostgreSQL database.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use sqlx::postgres::{PgConnectOptions, PgSslMode};

/// How an address begins that is no path.
const SCHEMES: [&str; 2] = ["postgres:", "postgresql:"];

/// Parameters of an address that are understood. Others are refused: a misspelt `sslmode` would leave a connection open
/// to whoever listens.
const PARAMETERS: [&str; 13] = [
    "application_name",
    "dbname",
    "host",
    "hostaddr",
    "options",
    "password",
    "port",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "statement-cache-capacity",
    "user",
];

/// Where the queue is. Shown without its password.
#[derive(Clone)]
pub enum Address {
    /// A SQLite file.
    File(PathBuf),
    /// A PostgreSQL database, which several machines may share.
    Postgres(Box<PgConnectOptions>),
}

impl Address {
    /// Whether the text of an address holds a password, for all to see who list this machine's processes.
    #[must_use]
    pub fn has_password(text: &str) -> bool {
        let Some((_, rest)) = text.split_once("://").filter(|_| is_postgres(text)) else { return false };
        let (place, parameters) = rest.split_once('?').unwrap_or((rest, ""));
        let user = place.split('/').next().unwrap_or_default().rsplit_once('@').map(|(user, _)| user);
        user.is_some_and(|user| user.contains(':')) || parameters.split('&').any(|pair| name_of(pair) == "password")
    }

    /// The file, where it is one.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        match self {
            Address::File(path) => Some(path),
            Address::Postgres(_) => None,
        }
    }
}

impl FromStr for Address {
    type Err = String;

    /// The error does not repeat the text: it may hold a password.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if !is_postgres(text) {
            return Ok(Address::File(PathBuf::from(text)));
        }
        let (_, parameters) = text.split_once('?').unwrap_or((text, ""));
        for name in parameters.split('&').filter(|pair| !pair.is_empty()).map(name_of) {
            if !PARAMETERS.contains(&name.as_str()) && !name.starts_with("options[") {
                return Err(format!("`{name}` is no parameter of a PostgreSQL address"));
            }
        }
        let says_sslmode = parameters.split('&').any(|pair| name_of(pair) == "sslmode")
            || std::env::var_os("PGSSLMODE").is_some_and(|mode| !mode.is_empty());
        let options: PgConnectOptions = text.parse().map_err(|error: sqlx::Error| reason(&error))?;
        let options = if says_sslmode || is_local(&options) { options } else { options.ssl_mode(PgSslMode::Require) };
        Ok(Address::Postgres(Box::new(options)))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::File(path) => write!(f, "{}", path.display()),
            Address::Postgres(options) => {
                write!(f, "postgres://{}@", options.get_username())?;
                match options.get_socket() {
                    Some(socket) => write!(f, "{}", socket.display())?,
                    None => write!(f, "{}:{}", options.get_host(), options.get_port())?,
                }
                write!(f, "/{}", options.get_database().unwrap_or_else(|| options.get_username()))
            }
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f) // the options' own would show the password
    }
}

fn is_postgres(text: &str) -> bool {
    SCHEMES.iter().any(|scheme| text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)))
}

/// A parameter's name, percent signs undone where they spell a plain one.
fn name_of(pair: &str) -> String {
    let name = pair.split('=').next().unwrap_or_default();
    let mut parts = name.split('%');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.get(..2).and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                plain.push(char::from(byte));
                plain.push_str(&part[2..]);
            }
            None => {
                plain.push('%');
                plain.push_str(part);
            }
        }
    }
    plain
}

/// Whether what goes over the connection stays on this machine.
fn is_local(options: &PgConnectOptions) -> bool {
    let host = options.get_host();
    options.get_socket().is_some()
        || host == "localhost"
        || host.starts_with('/')
        || host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// What is wrong with an address, without the address.
fn reason(error: &sqlx::Error) -> String {
    if let sqlx::Error::Configuration(cause) = error { cause.to_string() } else { error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        text.parse().expect("an address")
    }

    fn ssl_mode(text: &str) -> PgSslMode {
        match address(text) {
            Address::Postgres(options) => options.get_ssl_mode(),
            Address::File(path) => panic!("{} is no PostgreSQL", path.display()),
        }
    }

    #[test]
    fn what_is_no_postgres_address_is_a_path() {
        assert_eq!(address("postgres.db").file(), Some(Path::new("postgres.db")));
        assert!(address("postgresql://db/queue").file().is_none());
    }

    #[test]
    fn a_password_is_found_and_never_shown() {
        for text in ["postgres://me:s3cret@db/queue", "POSTGRES://me@db/queue?password=s3cret"] {
            assert!(Address::has_password(text), "{text}");
            let shown = format!("{0} {0:?}", address(text));
            assert!(shown.contains("postgres://me@db:5432/queue") && !shown.contains("s3cret"), "{shown}");
        }
        assert!(Address::has_password("postgres://me@db/queue?user=x&p%61ssword=s3cret"));
        for text in ["postgres://me@db:5433/queue", "postgres://db/queue?sslmode=disable", "a:b@c.db"] {
            assert!(!Address::has_password(text), "{text}");
        }
        let refused = "postgres://me:s3cret@db:port/queue".parse::<Address>().expect_err("no port");
        assert!(!refused.contains("s3cret"), "{refused}");
    }

    #[test]
    fn a_misspelt_parameter_is_refused() {
        let refused = "postgres://db/queue?sslmod=require".parse::<Address>().expect_err("misspelt");
        assert_eq!(refused, "`sslmod` is no parameter of a PostgreSQL address");
    }

    #[test]
    fn beyond_this_machine_the_connection_is_encrypted_unless_the_address_says_otherwise() {
        assert!(matches!(ssl_mode("postgres://db/queue"), PgSslMode::Require));
        assert!(matches!(ssl_mode("postgres://db/queue?sslmode=verify-full"), PgSslMode::VerifyFull));
        assert!(matches!(ssl_mode("postgres://db/queue?sslmode=disable"), PgSslMode::Disable));
        for local in ["postgres://localhost/queue", "postgres://127.0.0.1/queue", "postgres:///queue?host=/run/pg"] {
            assert!(!matches!(ssl_mode(local), PgSslMode::Require), "{local}");
        }
    }
}
