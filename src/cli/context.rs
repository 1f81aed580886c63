//! What every command has: the database's place, the output, who types, and the contract's bounds.

use std::path::PathBuf;

use anyhow::bail;

use super::actor::actor;
use super::args::Global;
use super::colour::Paint;
use super::database;
use super::failure::Usage;
use super::output::Output;
use crate::mep::{Bounds, PhoneNumberJson};
use crate::store::{Actor, Address, Batch, Store};

/// What every command has.
pub(super) struct Context {
    pub(super) database: Address,
    pub(super) out: Output,
    /// The colours of stdout, and of stderr.
    pub(super) paint: [Paint; 2],
    pub(super) actor: Actor,
    pub(super) bounds: Bounds,
    pub(super) phone_number_json: PhoneNumberJson,
    /// The configuration that is named; `None`: the one in the usual place, if it is there.
    pub(super) config: Option<PathBuf>,
    /// Where this program keeps for its user what it notes of databases; `None`: no variable says where.
    pub(super) state_folder: Option<PathBuf>,
}

impl Context {
    pub(super) fn new(global: &Global) -> anyhow::Result<Context> {
        Ok(Context {
            database: database::address(global.db.as_deref())?,
            out: Output::new(global.json, global.quiet),
            paint: [Paint::of(global.color, &std::io::stdout()), Paint::of(global.color, &std::io::stderr())],
            actor: actor(),
            bounds: Bounds {
                key_length_max: global.contract_key_length_max.0,
                value_length_max: global.contract_value_length_max.0,
            },
            phone_number_json: global.contract_phone_number_json,
            config: global.config.clone(),
            state_folder: database::state_folder(),
        })
    }

    /// Opens the database, which must be there.
    pub(super) async fn open_store(&self) -> anyhow::Result<Store> {
        Ok(Store::open(&self.database, false).await?)
    }

    /// Opens the database, and creates it where it is missing, which is said: the name may be mistyped.
    pub(super) async fn create_store(&mut self) -> anyhow::Result<Store> {
        let is_missing = self.database.file().is_some_and(|file| !file.exists());
        let store = Store::open(&self.database, true).await?;
        if is_missing {
            self.out.note(&format!("a new queue was made: `{}`\n", store.address()));
        }
        Ok(store)
    }
}

/// The batch of that name, which must be there.
pub(super) async fn batch(store: &Store, name: &str) -> anyhow::Result<Batch> {
    if let Some(batch) = store.batch_named(name).await? {
        return Ok(batch);
    }
    let known: Vec<String> = store.batches().await?.into_iter().map(|batch| batch.name).collect();
    let hint = if known.is_empty() {
        "there is none yet: `mep-batch import FILE` makes one".to_owned()
    } else {
        format!("there is: {}", known.join(", "))
    };
    bail!(Usage(format!("there is no batch named `{name}` in `{}`\nhint: {hint}", store.address())))
}
