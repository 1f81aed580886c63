//! The connection to a PostgreSQL is encrypted, and the server held against a certificate, as `sslmode` asks.

mod audit;
mod cluster;
mod either;
mod scenario;

use std::process::ExitCode;

use cluster::{Cluster, Database, free_port};
use either::{On, facts};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use scenario::{Done, Scenario};

/// A database that every server has; these servers are a test's own.
const DATABASE: &str = "postgres";

fn main() -> ExitCode {
    either::run(&[(
        On::OwnPostgres,
        facts![the_connection_is_encrypted_as_sslmode_asks, a_server_without_tls_is_told_from_one_that_is_not_trusted],
    )])
}

/// A server's certificate for `localhost`, of an authority of its own; each as PEM.
struct Certificates {
    authority: String,
    server: String,
    key: String,
}

impl Certificates {
    fn new() -> Certificates {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let authority = params.self_signed(&key).expect("a certificate").pem();
        let issuer = Issuer::new(params, key);
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
        let server = params.signed_by(&key, &issuer).expect("a certificate").pem();
        Certificates { authority, server, key: key.serialize_pem() }
    }
}

/// Imports three rows into that database, with two authorities' certificates at hand; what the program says.
fn import(url: String, certificates: &Certificates) -> Done {
    let s = Scenario::at(url);
    s.campaign(3).write("ca.pem", &certificates.authority).write("other.pem", Certificates::new().authority);
    s.mep("import campaign.csv --endpoint simulator --again")
}

fn the_connection_is_encrypted_as_sslmode_asks(_: Database) {
    let certificates = Certificates::new();
    let hba = "local all all trust\nhostssl all all 127.0.0.1/32 trust\n";
    let files = [("server.crt", certificates.server.as_str()), ("server.key", &certificates.key), ("pg_hba.conf", hba)];
    let cluster = Cluster::own(&[("port", &free_port()), ("ssl", "on")], &files);
    let at = |host: &str, parameters: &str| {
        let url = cluster.over_tcp(DATABASE, parameters).replace("@127.0.0.1:", &format!("@{host}:"));
        import(url, &certificates)
    };
    for mode in ["allow", "prefer", "require", "verify-ca&sslrootcert=ca.pem", "require&sslrootcert=ca.pem"] {
        at("127.0.0.1", &format!("sslmode={mode}")).exits(0);
    }
    at("localhost", "sslmode=verify-full&sslrootcert=ca.pem").exits(0);
    // The certificate is for `localhost`.
    at("127.0.0.1", "sslmode=verify-full&sslrootcert=ca.pem").exits(9).says("not valid for name").says("sslrootcert");
    at("127.0.0.1", "sslmode=disable").exits(9).says("no encryption").says("`sslmode`");
    for untrusted in ["verify-full", "verify-full&sslrootcert=other.pem", "require&sslrootcert=other.pem"] {
        at("localhost", &format!("sslmode={untrusted}"))
            .exits(9)
            .says("invalid peer certificate")
            .says("sslrootcert=FILE");
    }
    at("localhost", "sslmode=verify-full&sslrootcert=nowhere.pem").exits(9).says("a file that the address names");
}

fn a_server_without_tls_is_told_from_one_that_is_not_trusted(_: Database) {
    let cluster = Cluster::own(&[("port", &free_port())], &[]);
    let at = |mode: &str| import(cluster.over_tcp(DATABASE, &format!("sslmode={mode}")), &Certificates::new());
    for mode in ["require", "verify-ca", "verify-full"] {
        at(mode).exits(9).says("does not support TLS").says("turn on `ssl`");
    }
    for mode in ["disable", "allow", "prefer"] {
        at(mode).exits(0);
    }
}
