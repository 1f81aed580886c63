//! Where the queue is: a file of this machine, or a PostgreSQL database.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use sqlx::postgres::{PgConnectOptions, PgSslMode};

/// How an address begins that is no path.
const SCHEMES: [&str; 2] = ["postgres:", "postgresql:"];

/// Where PostgreSQL listens if nothing is said.
const PORT: u16 = 5432;

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
    ///
    /// An `@` or `#` behind the host may be the rest of one that was not written with percent signs: then it counts as one.
    #[must_use]
    pub fn has_password(text: &str) -> bool {
        if !is_postgres(text) {
            return false;
        }
        let parts = Parts::of(text);
        let user = parts.authority.rsplit_once('@').map(|(user, _)| user);
        user.is_some_and(|user| user.contains(':'))
            || (parts.is_torn() && parts.authority.contains(':'))
            || parts.parameter("password")
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
            let scheme = text.split_once("://").map(|(scheme, _)| scheme);
            let is_scheme = |scheme: &str| scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
            return match scheme.filter(|scheme| is_scheme(scheme)) {
                Some(scheme) => {
                    Err(format!("`{scheme}://` is no database that can be the queue; expected `postgres://`"))
                }
                None if text.is_empty() => Err("it is empty".to_owned()),
                None => Ok(Address::File(PathBuf::from(text))),
            };
        }
        if !text.contains("://") {
            return Err("a PostgreSQL address begins with `postgres://`".to_owned());
        }
        let parts = Parts::of(text);
        if parts.is_torn() {
            return Err(
                "an `@`, `/`, `?` or `#` in a user's name or password is written %40, %2F, %3F or %23".to_owned()
            );
        }
        for name in parts.parameters.split('&').filter(|pair| !pair.is_empty()).map(name_of) {
            if !PARAMETERS.contains(&name.as_str()) && !name.starts_with("options[") {
                return Err(format!("`{name}` is no parameter of a PostgreSQL address"));
            }
        }
        let mut text = text.to_owned();
        let mut add = |name: &str, value: &str| {
            let before = if text.contains('?') { '&' } else { '?' };
            text.push_str(&format!("{before}{name}={}", percent_encoded(value)));
        };
        if let Some(host) = parts.host_of_ipv6() {
            add("host", host); // the driver would look for its brackets' name
        }
        if !parts.names_user() && !is_set("PGUSER") {
            add("user", &account().ok_or("it names no user, and the name of your account is not known")?);
        }
        let options: PgConnectOptions = text.parse().map_err(|error: sqlx::Error| reason(&error))?;
        let mode = ssl_mode(&parts, &options)?;
        Ok(Address::Postgres(Box::new(options.ssl_mode(mode))))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::File(path) => write!(f, "{}", path.display()),
            Address::Postgres(options) => {
                let (user, host, port) = (options.get_username(), options.get_host(), options.get_port());
                let database = options.get_database().unwrap_or(user);
                match socket_folder(options) {
                    Some(folder) if port == PORT => {
                        write!(f, "postgres:///{database}?host={}&user={user}", folder.display())
                    }
                    Some(folder) => {
                        write!(f, "postgres:///{database}?host={}&port={port}&user={user}", folder.display())
                    }
                    None if host.contains(':') => write!(f, "postgres://{user}@[{host}]:{port}/{database}"),
                    None => write!(f, "postgres://{user}@{host}:{port}/{database}"),
                }
            }
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f) // the options' own would show the password
    }
}

/// The parts of an address as they are written.
struct Parts<'a> {
    /// User, password, host and port.
    authority: &'a str,
    /// What stands behind them and before the parameters.
    path: &'a str,
    parameters: &'a str,
}

impl<'a> Parts<'a> {
    fn of(text: &'a str) -> Parts<'a> {
        let rest = text.split_once(':').map_or("", |(_, rest)| rest);
        let rest = rest.strip_prefix("//").unwrap_or(rest);
        let (authority, rest) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let (path, parameters) = rest.split_once('?').unwrap_or((rest, ""));
        Parts { authority, path, parameters }
    }

    /// Whether something stands where it has no meaning, as the rest of a password does that was cut at its `/`.
    fn is_torn(&self) -> bool {
        self.path.contains(['@', '#']) || self.parameters.contains(['@', '#'])
    }

    fn parameter(&self, name: &str) -> bool {
        self.parameters.split('&').any(|pair| name_of(pair) == name)
    }

    fn names_user(&self) -> bool {
        self.authority.rsplit_once('@').is_some_and(|(user, _)| !user.is_empty()) || self.parameter("user")
    }

    fn host_of_ipv6(&self) -> Option<&'a str> {
        let host = self.authority.rsplit_once('@').map_or(self.authority, |(_, host)| host);
        Some(host.strip_prefix('[')?.split_once(']')?.0)
    }
}

/// How the connection is encrypted: as the address or PGSSLMODE says, else `require` where it leaves this machine.
fn ssl_mode(parts: &Parts<'_>, options: &PgConnectOptions) -> Result<PgSslMode, String> {
    // The driver takes a misspelt variable for none.
    if let Ok(mode) = std::env::var("PGSSLMODE")
        && !mode.is_empty()
        && mode.parse::<PgSslMode>().is_err()
    {
        return Err(format!("PGSSLMODE is `{mode}`, which is no `sslmode`"));
    }
    let is_said = parts.parameter("sslmode") || is_set("PGSSLMODE");
    let mode = if is_said || is_local(options) { options.get_ssl_mode() } else { PgSslMode::Require };
    let knows_root = parts.parameter("sslrootcert") || is_set("PGSSLROOTCERT");
    Ok(if matches!(mode, PgSslMode::Allow) {
        PgSslMode::Prefer // the driver's `allow` never encrypts; PostgreSQL's own does where the server asks for it
    } else if matches!(mode, PgSslMode::Require) && knows_root {
        PgSslMode::VerifyCa // as PostgreSQL's own does: who names a certificate wants the server held against it
    } else {
        mode
    })
}

fn is_postgres(text: &str) -> bool {
    SCHEMES.iter().any(|scheme| text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)))
}

fn is_set(variable: &str) -> bool {
    std::env::var_os(variable).is_some_and(|value| !value.is_empty())
}

/// The name of the account that this process runs as, which PostgreSQL takes for the user's where none is named.
fn account() -> Option<String> {
    let id = rustix::process::geteuid().as_raw().to_string();
    let accounts = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let mut lines = accounts.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let listed = lines.find(|fields| fields.get(2) == Some(&id.as_str())).map(|fields| fields[0].to_owned());
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    listed.or_else(|| variable("USER")).or_else(|| variable("LOGNAME"))
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

/// A parameter's value as an address carries it.
fn percent_encoded(value: &str) -> String {
    let encode = |byte: u8| {
        if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    };
    value.bytes().map(encode).collect()
}

/// The folder of the server's socket, where that is how it is reached.
fn socket_folder(options: &PgConnectOptions) -> Option<&Path> {
    let host = Some(options.get_host()).filter(|host| host.starts_with('/')).map(Path::new);
    options.get_socket().map(PathBuf::as_path).or(host)
}

/// Whether what goes over the connection stays on this machine.
fn is_local(options: &PgConnectOptions) -> bool {
    let host = options.get_host();
    socket_folder(options).is_some()
        || host == "localhost"
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
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

    fn refused(text: &str) -> String {
        text.parse::<Address>().expect_err("refused")
    }

    fn options(text: &str) -> Box<PgConnectOptions> {
        match address(text) {
            Address::Postgres(options) => options,
            Address::File(path) => panic!("{} is no PostgreSQL", path.display()),
        }
    }

    #[test]
    fn what_is_no_postgres_address_is_a_path() {
        assert_eq!(address("postgres.db").file(), Some(Path::new("postgres.db")));
        assert!(address("postgresql://db/queue").file().is_none());
    }

    #[test]
    fn a_misspelt_scheme_is_no_path_and_is_refused_without_the_rest() {
        for text in ["postgre://me:s3cret@db/queue", "mysql://me:s3cret@db/queue"] {
            let refused = text.parse::<Address>().expect_err("it is no path");
            assert!(refused.contains("expected `postgres://`") && !refused.contains("s3cret"), "{refused}");
        }
        assert!("".parse::<Address>().is_err());
        assert!(address("./postgre://me/queue").file().is_some());
    }

    #[test]
    fn a_password_is_found_and_never_shown() {
        for text in ["postgres://me:s3cret@db/queue", "POSTGRES://me@db/queue?password=s3cret"] {
            assert!(Address::has_password(text), "{text}");
            let shown = format!("{0} {0:?}", address(text));
            assert!(shown.contains("postgres://me@db:5432/queue") && !shown.contains("s3cret"), "{shown}");
        }
        assert!(Address::has_password("postgres://me@db/queue?user=x&p%61ssword=s3cret"));
        for text in ["postgres://me@db:5433/queue", "postgres://db/queue?sslmode=disable", "postgres:///q", "a:b@c.db"]
        {
            assert!(!Address::has_password(text), "{text}");
        }
        let no_port = refused("postgres://me:s3cret@db:port/queue");
        assert!(!no_port.contains("s3cret"), "{no_port}");
    }

    #[test]
    fn a_password_that_was_not_written_with_percent_signs_is_no_host_port_or_database() {
        for text in ["12/s3cret@db", "12?s3cret@db", "12#s3cret@db", "p@12/s3cret@db", "12/s3cret#@db"] {
            let text = format!("postgres://me:{text}/queue");
            assert!(Address::has_password(&text), "{text}");
            let told = refused(&text);
            assert!(told.contains("%2F") && !told.contains("s3cret"), "{told}");
        }
        assert!(Address::has_password("postgres:me:s3cret@db/queue"));
        assert_eq!(refused("postgres:me:s3cret@db/queue"), "a PostgreSQL address begins with `postgres://`");
        assert_eq!(address("postgres://me:12%2Fs3cret@db/queue").to_string(), "postgres://me@db:5432/queue");
    }

    #[test]
    fn a_socket_and_an_ipv6_address_are_hosts() {
        for text in ["postgres:///q?host=/run/pg&port=5433&user=me", "postgres://me@%2Frun%2Fpg:5433/q"] {
            assert_eq!(address(text).to_string(), "postgres:///q?host=/run/pg&port=5433&user=me");
        }
        assert_eq!(options("postgres://me@[::1]:5433/q").get_host(), "::1");
        assert_eq!(address("postgres://me@[::1]:5433/q").to_string(), "postgres://me@[::1]:5433/q");
    }

    #[test]
    fn a_user_that_is_not_named_is_the_account() {
        let account = account().expect("an account");
        assert_eq!(options("postgres:///q?host=/run/pg").get_username(), account);
        assert_eq!(options("postgres://db/q?user=me").get_username(), "me");
    }

    #[test]
    fn a_misspelt_parameter_is_refused() {
        assert_eq!(refused("postgres://db/queue?sslmod=require"), "`sslmod` is no parameter of a PostgreSQL address");
    }

    #[test]
    fn beyond_this_machine_the_connection_is_encrypted_unless_the_address_says_otherwise() {
        let ssl_mode = |text: &str| options(text).get_ssl_mode();
        assert!(matches!(ssl_mode("postgres://db/queue"), PgSslMode::Require));
        assert!(matches!(ssl_mode("postgres://db/queue?sslmode=verify-full"), PgSslMode::VerifyFull));
        assert!(matches!(ssl_mode("postgres://db/queue?sslmode=disable"), PgSslMode::Disable));
        assert!(matches!(ssl_mode("postgres://db/queue?sslmode=allow"), PgSslMode::Prefer));
        assert!(matches!(ssl_mode("postgres://db/queue?sslrootcert=ca.pem"), PgSslMode::VerifyCa));
        for local in ["localhost/queue", "127.0.0.1/queue", "[::1]/queue", "/queue?host=/run/pg"] {
            assert!(!matches!(ssl_mode(&format!("postgres://{local}")), PgSslMode::Require), "{local}");
        }
    }
}
