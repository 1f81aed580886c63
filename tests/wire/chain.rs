//! Requests of one client one after another, each meeting another behaviour: what one leaves behind harms no other.

use std::collections::HashMap;
use std::time::Duration;

use mep_batch::client::{Client, Timeouts};
use mep_batch::invocation::Outcome;

use crate::behaviours::{self, Behaviour};
use crate::rounds::{Figures, rounds};
use crate::server::Server;
use crate::{PATIENT, chance, class, client, send};

/// Where one of the chain waits for the client's timeout: long enough for the others on a busy machine.
const WAITED_FOR: Timeouts = Timeouts { connect: Duration::from_secs(1), total: Duration::from_millis(1_500) };

/// Rounds in `cargo test`: about 60 requests.
const QUICK: u64 = 15;
/// The longest chain.
const REQUESTS_MAX: usize = 8;

#[test]
fn whatever_came_before_each_request_has_its_class_and_leaves_once() {
    let known = behaviours::all();
    let server = Server::start(HashMap::new());
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let counted = rounds("wire", QUICK, |rng, figures| {
        let chain: Vec<Behaviour> = (0..rng.usize(1..=REQUESTS_MAX)).map(|_| chance::any(rng, &known)).collect();
        let waits = chain.iter().any(Behaviour::stalls_the_client);
        let client = client(&server.url(), if waits { WAITED_FOR } else { PATIENT });
        let name = format!("{:016X}", rng.u64(..));
        runtime.block_on(sends_each(&server, &client, &chain, &name, figures));
    });
    let (all, used) = (counted["requests"], counted["on used connections"]);
    assert!(all < 50 || used * 10 > all, "{used} of {all} requests came on used connections");
}

/// Sends a request to each behaviour in turn. After one that left a connection that was just closing, or surplus bytes on it,
/// the next may meet that: then it is unknown, whether it was received or not.
async fn sends_each(server: &Server, client: &Client, chain: &[Behaviour], name: &str, figures: &mut Figures) {
    let mut is_trapped = false;
    for (place, behaviour) in chain.iter().enumerate() {
        let service = format!("{name}N{place}");
        server.learns(&service, behaviour.script.clone());
        let finding = send(client, &service).await;
        let (outcome, received) = (class(&finding), server.received(&service).len());
        let met_a_trap = is_trapped && outcome == Outcome::Unknown && received == 0;
        assert!(
            (behaviour.allows(outcome) && received == 1) || met_a_trap,
            "request {place}, {}: {outcome:?}, not {:?}; {received} requests; {finding:?}; the chain: {:?}",
            behaviour.name,
            behaviour.outcome,
            chain.iter().map(|behaviour| &behaviour.name).collect::<Vec<_>>()
        );
        is_trapped = !behaviour.leaves_no_trap();
        figures.count("requests", 1);
        figures.count("on used connections", server.received_on_used_connections(&service));
        figures.count("met a closing connection", usize::from(met_a_trap));
        figures.count(outcome.as_str(), 1);
    }
}
