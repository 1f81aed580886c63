//! By which names the pages may be asked for: a page of a stranger's must not reach them by a name that it made lead here.

use std::net::{IpAddr, SocketAddr};

/// The port that a browser leaves out.
const USUAL_PORT: u16 = 80;

/// The names and the port by which the pages are asked for.
///
/// Who makes a name of their own lead to this machine is known by that name. An address is no name: it leads where it says.
#[derive(Debug, Clone)]
pub(super) struct Hosts {
    listens_on: SocketAddr,
    machine: Option<String>,
}

impl Hosts {
    pub(super) fn of(listens_on: SocketAddr) -> Hosts {
        let machine = rustix::system::uname().nodename().to_str().ok().map(str::to_ascii_lowercase);
        Hosts { listens_on, machine: machine.filter(|name| !name.is_empty()) }
    }

    /// The machine's own name, where it has one.
    pub(super) fn machine(&self) -> Option<&str> {
        self.machine.as_deref()
    }

    /// Whether a `Host` header, or the host of a whole URL, is one of them.
    pub(super) fn allow(&self, host: &str) -> bool {
        let (name, port) = match host.rsplit_once(':') {
            // The last colon of an address of version 6 is none of a port's.
            Some((name, port)) if !port.ends_with(']') => match port.parse() {
                Ok(port) => (name, port),
                Err(_) => return false,
            },
            Some(_) | None => (host, USUAL_PORT),
        };
        port == self.listens_on.port() && self.allow_name(name)
    }

    fn allow_name(&self, name: &str) -> bool {
        let name = name.to_ascii_lowercase();
        if name == "localhost" {
            return true;
        }
        let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
        match bare.unwrap_or(&name).parse::<IpAddr>() {
            Ok(IpAddr::V6(_)) if bare.is_none() => false,
            Ok(IpAddr::V4(_)) if bare.is_some() => false,
            Ok(address) => self.allow_address(address),
            // A machine's own name is for those who reach it from elsewhere.
            Err(_) => !self.listens_on.ip().is_loopback() && self.machine.as_deref() == Some(name.as_str()),
        }
    }

    fn allow_address(&self, address: IpAddr) -> bool {
        let ours = self.listens_on.ip();
        let is_usual = [IpAddr::from([127, 0, 0, 1]), IpAddr::from(std::net::Ipv6Addr::LOCALHOST)].contains(&address);
        is_usual || address == ours || ours.is_unspecified()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(listens_on: &str) -> Hosts {
        Hosts { listens_on: listens_on.parse().expect("an address"), machine: Some("sender1".to_owned()) }
    }

    #[test]
    fn on_loopback_this_machine_alone_is_meant() {
        let hosts = hosts("127.0.0.1:8787");
        for right in ["127.0.0.1:8787", "localhost:8787", "LOCALHOST:8787", "[::1]:8787"] {
            assert!(hosts.allow(right), "{right}");
        }
        for wrong in [
            "",
            "127.0.0.1",
            "localhost",
            "localhost:80",
            "evil.example:8787",
            "127.0.0.1.evil.example:8787",
            "10.0.0.1:8787",
            "localhost.:8787",
            "::1:8787",
            "[::1]",
            "[127.0.0.1]:8787",
            "sender1:8787",
            "localhost:8787:8787",
            "a@localhost:8787",
            "localhost:+8787x",
        ] {
            assert!(!hosts.allow(wrong), "{wrong}");
        }
    }

    #[test]
    fn elsewhere_an_address_or_the_machines_own_name_is_meant_and_no_other_name() {
        let everywhere = hosts("0.0.0.0:8787");
        for right in ["10.0.0.1:8787", "[fe80::1]:8787", "sender1:8787", "Sender1:8787", "localhost:8787"] {
            assert!(everywhere.allow(right), "{right}");
        }
        assert!(!everywhere.allow("evil.example:8787"));
        let one = hosts("10.0.0.1:80");
        assert!(
            one.allow("10.0.0.1") && one.allow("10.0.0.1:80") && !one.allow("10.0.0.2") && !one.allow("evil.example")
        );
    }
}
