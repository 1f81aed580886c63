//! Secrets: the passwords are nowhere in what the program writes, and a full phone number is told only to who asks.

mod echo;
mod traces;

#[path = "../audit/mod.rs"]
mod audit;
#[path = "../cluster/mod.rs"]
mod cluster;
#[path = "../either/mod.rs"]
mod either;
#[path = "../scenario/mod.rs"]
mod scenario;

use std::process::{Command, ExitCode};

use cluster::{Cluster, Database, free_port};
use echo::{Echo, answer, header};
use either::{On, facts};
use scenario::{Running, SERVICE, Scenario};
use traces::Traces;

/// Passwords that are nowhere else, with what URLs and JSON write otherwise.
const PASSWORD: &str = "Zx9/mark-of:the \"vendor's\" Qy7";
const PROXY_PASSWORD: &str = "Kv3-mark/of-the-proxy-Wd5";
const PROXY_PASSWORD_IN_URL: &str = "Kv3-mark%2Fof-the-proxy-Wd5";
const DATABASE_PASSWORD: &str = "Hb6-mark/of-the-database-Tn8";
const DATABASE_PASSWORD_IN_URL: &str = "Hb6-mark%2Fof-the-database-Tn8";

/// People whose numbers are written in every way in which people write them.
const WRITTEN: [&str; 12] = [
    "+1 (251) 555-0160",
    "12515550161",
    "1-251-555-0162",
    "0012515550163",
    "tel:+12515550164",
    "+1.251.555.0165",
    "12515550166.0",
    "'12515550167",
    "+1 251 555 0168",
    "12515550169",
    "1 (251) 555 0170",
    "+12515550171",
];

fn main() -> ExitCode {
    either::run(&[
        (
            On::Sqlite,
            facts![
                no_secret_is_left_by_a_whole_campaign,
                a_password_is_typed_in_no_argument_and_in_no_file_that_others_can_read,
                a_redirect_takes_nothing_elsewhere,
            ],
        ),
        (On::OwnPostgres, facts![no_secret_is_left_by_a_whole_campaign]),
    ])
}

/// Says for each of the first requests something else, and repeats in most of it what the request carried.
fn repeats(number: usize, request: &str) -> Option<String> {
    let (password, proxy) = (header(request, "authorization"), header(request, "proxy-authorization"));
    let page = format!("<h1>Bad</h1><pre>{request}</pre> {PASSWORD} {PROXY_PASSWORD} {PROXY_PASSWORD_IN_URL}");
    Some(match number {
        0 => answer("202 Accepted", &format!("X-Request-Id: {password} {proxy}\r\n"), ""),
        1 => answer("502 Bad Gateway", "", &page),
        2 => {
            let text = serde_json::to_string(&format!("{page} for +1 (251) 555-0162 or 12515550162")).expect("JSON");
            answer("400 Bad Request", "", &format!(r#"{{"error":{{"code":12002,"description":{text}}}}}"#))
        }
        // What is kept of an answer ends within the password.
        3 => answer("400 Bad Request", "", &format!("{}{password}", "x".repeat(4096 - 20))),
        4 => answer("500 Internal Server Error", "", &format!(r#"{{"code":1000,"message":"{proxy}"}}"#)),
        5 => return None,
        _ => answer("202 Accepted", &format!("X-Request-Id: ID-{number}\r\n"), ""),
    })
}

/// The program with all its passwords, each where it belongs.
fn with_passwords(s: &Scenario, line: &str, proxy: Option<&Echo>) -> Command {
    let mut command = s.command(line);
    command.env("MEP_PASSWORD", PASSWORD).env("MEP_ACCOUNT", "acc").env("TMPDIR", s.folder());
    if let Some(proxy) = proxy {
        let url = proxy.url().replace("http://", &format!("http://ann:{PROXY_PASSWORD_IN_URL}@"));
        command.env("MEP_BATCH_PROXY", url);
    }
    command
}

/// A scenario on the database; on a server one to which a password leads.
fn scenario_on(database: Database) -> (Scenario, Option<Cluster>) {
    match database {
        Database::Sqlite => (Scenario::new(), None),
        Database::Postgres => {
            let port = free_port();
            let hba = "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n";
            let cluster = Cluster::own(&[("port", &port)], &[("pg_hba.conf", hba)]);
            let root = cluster.database();
            let create = format!("CREATE ROLE ann LOGIN SUPERUSER PASSWORD '{DATABASE_PASSWORD}'");
            cluster::connection::execute(&root, create);
            let url = cluster.over_tcp(&root, "sslmode=disable");
            (Scenario::at(url.replace("postgres@", &format!("ann:{DATABASE_PASSWORD_IN_URL}@"))), Some(cluster))
        }
    }
}

/// A campaign of people in every spelling, with rows that are refused because their numbers stand in the wrong cell.
fn campaign() -> String {
    let mut text = "phoneNumber,session.seat,session.call\n".to_owned();
    for (place, written) in WRITTEN.iter().enumerate() {
        text.push_str(&format!("\"{written}\",{place}A,\"call {} or 12515550199\"\n", WRITTEN[0]));
    }
    text.push_str(
        "7A,+1 (251) 555-0180,x\n12515550181x,12515550181,1-251-555-0181\n12515550182,a,b,c\n1,${x},12515550183\n",
    );
    text
}

/// The last ten digits of every number in that file.
fn numbers() -> Vec<String> {
    (160..=171).chain(180..=183).chain([199]).map(|last| format!("2515550{last}")).collect()
}

fn no_secret_is_left_by_a_whole_campaign(database: Database) {
    let (s, cluster) = scenario_on(database);
    let (proxy, nowhere) = (Echo::start(repeats), free_port());
    s.write("campaign.csv", campaign()).write("broken.csv", "phoneNumber\n12515550160,\"\n");
    let mut traces = Traces::new();
    let flags = "--concurrency 1 --retry-initial 20ms --probe-after 50ms --max-unknown 20";
    let target = format!("--service {SERVICE} --endpoint http://127.0.0.1:{nowhere} --allow-expressions=session.none");
    let mut does = |line: &str| {
        let done = Running::start(&mut with_passwords(&s, line, Some(&proxy)), b"").finish();
        assert!(!done.stderr.contains("panicked"), "`{line}`: {}", done.stderr);
        let is_asked = line.contains("--reveal") || line.starts_with("export");
        if is_asked {
            traces.add_revealed(line, &done)
        } else {
            traces.add_said(line, &done)
        }
        done
    };
    does("check campaign.csv -vv --rejected rejected.csv").exits(3);
    does("check campaign.csv --json").exits(3);
    does("check broken.csv -vv --log-format json");
    does(&format!("import campaign.csv {target} --rejected rejected.csv -vv")).exits(3);
    does(&format!("import campaign.csv {target} --json")).exits(7);
    does("run campaign --dry-run").exits(0);
    does("run campaign --dry-run --json").exits(0);
    // Two of three requests meet something that stays unknown; it ends with what is left to decide.
    does(&format!("run campaign -vv --limit 4 {flags}"));
    does(&format!("run campaign -vv --log-format json {flags}")).exits(4);
    for line in [
        "status",
        "status --json -vv",
        "list campaign",
        "list campaign --json",
        "list --state rejected --json -vv",
        "list --phone 12515550160",
        "resolve campaign",
        "resolve campaign --json",
        "config",
        "config --json",
        "doctor",
        "doctor --json -vv",
        "run --help",
        "man",
        "completions bash",
        "export campaign -o out.csv",
        "export campaign --format ndjson -o out.ndjson",
        "export campaign --format json",
        "export campaign --attempts -vv",
        "list campaign --json --reveal -vv",
        "retry campaign --state failed -vv",
        "retry campaign --state rejected -vv",
        "throttle campaign --rate 5 -v",
        "pause campaign --reason because",
        "resume campaign",
        "run nothing -vv",
        "run campaign --rate x",
        "run campaign --bogus",
        "list --line x --json",
        "import campaign.csv --endpoint ftp://x",
    ] {
        does(line);
    }
    // A command on a server takes longer.
    for line in (2..=17).step_by(if database == Database::Sqlite { 1 } else { 5 }) {
        does(&format!("show campaign {line}"));
        does(&format!("show campaign {line} --json"));
        does(&format!("show campaign {line} --reveal --json"));
    }
    does("resolve campaign --all --as not-sent --yes --reason because -vv").exits(0);
    does("run campaign -vv --json").exits(3);
    does("purge --older-than 0s -vv");

    // One lives while it is looked at, and is killed, so that what it leaves is all there.
    let silent = Echo::start(|_, _| loop_for_ever());
    let line = format!("run campaign.csv --again --batch second {target} --wait 1m");
    let running = Running::start(&mut with_passwords(&s, &line, Some(&silent)), b"");
    scenario::until("a request", || !silent.requests().is_empty());
    traces.add_process(&running);
    traces.add_files(&s, &["campaign.csv", "broken.csv"]);
    traces.add_said(&line, &running.kill());
    traces.add_said("status second", &s.mep("status second"));
    traces.add_files(&s, &["campaign.csv", "broken.csv"]);
    if database == Database::Postgres {
        add_tables(&s, &mut traces);
    }
    let received = proxy.requests();
    let token = |name: &str| header(&received[0], name).trim_start_matches("Basic ").to_owned();
    let (password, proxy_password) = (token("authorization"), token("proxy-authorization"));
    assert!(password.len() > 20 && proxy_password.len() > 20, "{}", received[0]);
    assert!(received.len() >= 12, "the server was told {} times", received.len());
    traces.have_none_of(&[
        PASSWORD,
        &PASSWORD.replace('"', "\\\""),
        &password,
        PROXY_PASSWORD,
        PROXY_PASSWORD_IN_URL,
        &proxy_password,
        DATABASE_PASSWORD,
        DATABASE_PASSWORD_IN_URL,
    ]);
    traces.name_nobody(&numbers());
    drop(cluster);
}

fn loop_for_ever() -> Option<String> {
    loop {
        std::thread::park();
    }
}

/// What stands in every table of a server.
fn add_tables(s: &Scenario, traces: &mut Traces) {
    let tables = s.query("SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'");
    assert!(tables.contains(&"attempt".to_owned()), "{tables:?}");
    for table in tables {
        let rows = s.query(&format!("SELECT coalesce(string_agg(t::text, chr(10)), '') FROM \"{table}\" t"));
        traces.add(format!("the table {table}"), rows.join("\n"));
    }
    let answers = s.query("SELECT coalesce(string_agg(encode(answer, 'escape'), chr(10)), '') FROM attempt");
    assert!(answers[0].contains("<h1>Bad</h1>"), "the answers are kept: {answers:?}");
    traces.add("the answers", answers.join("\n").replace("\\\\", "\\"));
}

fn a_password_is_typed_in_no_argument_and_in_no_file_that_others_can_read(_: Database) {
    use std::os::unix::fs::PermissionsExt;
    let s = Scenario::new();
    let port = free_port();
    let url = format!("http://ann:{PROXY_PASSWORD_IN_URL}@127.0.0.1:{port}");
    s.campaign(2).mep("import campaign.csv --endpoint http://127.0.0.1:1").exits(0);
    for line in [
        format!("run campaign --proxy {url}"),
        format!("--proxy={url} run campaign --json"),
        format!("run campaign --proxy ann:{PROXY_PASSWORD_IN_URL}@127.0.0.1:{port} --log-format json"),
        format!("run {url}"),
        format!("status --endpoint={url}"),
    ] {
        let done = s.mep(&line).exits(2).says("MEP_BATCH_PROXY");
        assert!(!done.output().contains("Kv3-mark"), "{line}: {}", done.output());
    }
    let file = s.path("mep-batch.toml");
    for mode in [0o644, 0o640, 0o602] {
        s.write("mep-batch.toml", format!("proxy = \"{url}\"\n"));
        std::fs::set_permissions(&file, PermissionsExt::from_mode(mode)).expect("a mode");
        let done = s.mep("run campaign --config mep-batch.toml").exits(2).says("chmod 600");
        assert!(!done.output().contains("Kv3-mark"), "{}", done.output());
    }
    // Wherever a mistake puts it, it is not repeated.
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).expect("a mode");
    for proxy in [
        url.clone(),
        format!("ann:{PROXY_PASSWORD_IN_URL}@127.0.0.1:{port}"),
        format!("socks5://ann:{PROXY_PASSWORD_IN_URL}@127.0.0.1:{port}"),
        format!("http:ann:{PROXY_PASSWORD}@127.0.0.1:{port}"),
        format!("http://ann:{PROXY_PASSWORD}@127.0.0.1:{port}"),
    ] {
        s.write("mep-batch.toml", format!("proxy = \"{proxy}\"\n"));
        for line in ["config --json", "run campaign --wait 0 -vv", "run --help"] {
            let by_file = s.mep(&format!("{line} --config mep-batch.toml"));
            let by_variable = Running::start(s.command(line).env("MEP_BATCH_PROXY", &proxy), b"").finish();
            for done in [&by_file, &by_variable] {
                assert!(!done.output().contains("Kv3-mark"), "{line}, {proxy}: {}", done.output());
            }
        }
    }
    assert_eq!(s.states(), "2 pending");
}

fn a_redirect_takes_nothing_elsewhere(_: Database) {
    static ELSEWHERE: std::sync::OnceLock<Echo> = std::sync::OnceLock::new();
    let elsewhere =
        ELSEWHERE.get_or_init(|| Echo::start(|_, _| Some(answer("202 Accepted", "X-Request-Id: X\r\n", ""))));
    let redirects = Echo::start(|number, request| {
        let statuses = ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent", "300 Choices"];
        let path = request.split(' ').nth(1).unwrap_or_default();
        let elsewhere = ELSEWHERE.get().map(Echo::url).unwrap_or_default();
        Some(answer(statuses[number % statuses.len()], &format!("Location: {elsewhere}{path}\r\n"), ""))
    });
    let s = Scenario::new();
    s.campaign(1).mep(&format!("import campaign.csv --endpoint {} --account acc", redirects.url())).exits(0);
    for number in 1..=6 {
        let done = Running::start(s.command("run campaign --wait 0").env("MEP_PASSWORD", PASSWORD), b"").finish();
        assert!(matches!(done.code, 4 | 6), "{}", done.output());
        if s.states() == "1 unknown" {
            s.mep("resolve campaign --all --as not-sent --yes --reason redirected").exits(0);
        }
        assert_eq!(redirects.requests().len(), number, "{}", done.output());
    }
    assert!(redirects.requests().iter().all(|request| !header(request, "authorization").is_empty()));
    assert_eq!(elsewhere.requests(), Vec::<String>::new());
}
