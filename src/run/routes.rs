//! From a batch to how its rows are sent: one client for each endpoint and account.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::{Context, bail};

use crate::client::{Client, Credentials, Timeouts};
use crate::invocation::Suppressed;
use crate::mep::{Bounds, Endpoint, PhoneNumberJson};
use crate::store::Batch;
use crate::validate::Rules;
use crate::worker::{self, Route};

/// How this process connects.
#[derive(Debug, Clone)]
pub struct Connections {
    /// The account and its password, where they were given.
    pub credentials: Option<Credentials>,
    /// How long to wait.
    pub timeouts: Timeouts,
    /// Connections kept open to each endpoint.
    pub concurrency: usize,
    /// An HTTP proxy.
    pub proxy: Option<String>,
    /// Where the stand-in listens, if one was started.
    pub simulator: Option<String>,
    /// The bounds of the contract.
    pub bounds: Bounds,
}

/// Reads the suppression list at a path, its numbers cleaned by these rules.
pub type ReadSuppressed = Arc<dyn Fn(&Path, &Rules) -> anyhow::Result<Suppressed> + Send + Sync>;

/// Makes routes, and keeps the clients that they share.
pub struct Routes {
    connections: Connections,
    read_suppressed: ReadSuppressed,
    clients: HashMap<(Endpoint, String), Client>,
}

impl Routes {
    /// Routes over these connections.
    #[must_use]
    pub fn new(connections: Connections, read_suppressed: ReadSuppressed) -> Self {
        Routes { connections, read_suppressed, clients: HashMap::new() }
    }

    /// How the rows of a batch are sent. The error says what is missing and how to give it.
    pub async fn route(&mut self, batch: &Batch) -> anyhow::Result<Arc<Route>> {
        let client = self.client(batch)?;
        let rules = Rules::of_batch(&batch.settings, self.connections.bounds, PhoneNumberJson::default());
        Ok(Arc::new(Route {
            target: client.target(&batch.service),
            client,
            policy: worker::policy(&batch.settings),
            suppressed: self.suppressed(batch, &rules).await?,
            schedule: batch.settings.schedule.clone(),
            rules,
            held_back: AtomicBool::new(false),
        }))
    }

    async fn suppressed(&self, batch: &Batch, rules: &Rules) -> anyhow::Result<Suppressed> {
        let Some(path) = batch.settings.suppress.clone() else { return Ok(Suppressed::default()) };
        let (read, rules) = (Arc::clone(&self.read_suppressed), rules.clone());
        tokio::task::spawn_blocking(move || read(&path, &rules)).await?
    }

    fn client(&mut self, batch: &Batch) -> anyhow::Result<Client> {
        let key = (batch.endpoint.clone(), batch.account.clone());
        if let Some(client) = self.clients.get(&key) {
            return Ok(client.clone());
        }
        let connections = &self.connections;
        let base_url = batch.endpoint.base_url().or(connections.simulator.as_deref());
        let base_url = base_url.context("the simulator was not started")?;
        let credentials = self.credentials(batch)?;
        let client = Client::new(
            base_url,
            credentials,
            connections.timeouts,
            connections.concurrency,
            connections.proxy.as_deref(),
        )?;
        self.clients.insert(key, client.clone());
        Ok(client)
    }

    fn credentials(&self, batch: &Batch) -> anyhow::Result<Option<&Credentials>> {
        match &self.connections.credentials {
            _ if batch.endpoint == Endpoint::Simulator => Ok(None),
            Some(given) if given.account() == batch.account => Ok(Some(given)),
            // A password goes nowhere but to where its account was named for.
            Some(given) if !batch.account.is_empty() => bail!(
                "batch `{}` is sent by account `{}`, and the credentials given are of `{}`\nhint: give `--account {}` and its password",
                batch.name,
                batch.account,
                given.account(),
                batch.account
            ),
            Some(_) | None if batch.endpoint.needs_credentials() => bail!(
                "batch `{}` needs an account and a password for `{}`\n\
                 hint: `--account ID` or MEP_ACCOUNT, and `--password-file FILE` or MEP_PASSWORD",
                batch.name,
                batch.endpoint
            ),
            Some(_) | None => Ok(None),
        }
    }
}
