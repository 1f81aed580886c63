//! Batches: finding them, confirming them, changing how they are sent.

use serde_json::json;

use super::action::{self, ActionKind, Actor};
use super::control::Said;
use super::purge::Purge;
use super::statement::{Row, Sql, query};
use super::{Error, Result, Store, ids_text, json_text};
use crate::invocation::{BatchId, Counts, Findings, Settings, UnixMillis};
use crate::mep::{Endpoint, ServiceId};

/// An imported file, as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// Its number in this database.
    pub id: BatchId,
    /// Its name: unique, chosen at import.
    pub name: String,
    /// The service that it invokes.
    pub service: ServiceId,
    /// Where it is sent.
    pub endpoint: Endpoint,
    /// Whose credentials; empty where none are needed or none was named yet.
    pub account: String,
    /// The file as the operator named it.
    pub source_name: String,
    /// SHA-256 of the file, in hex.
    pub source_sha256: String,
    /// The mapped names, in the file's order.
    pub columns: Vec<String>,
    /// How it is sent.
    pub settings: Settings,
    /// What the import found out about the file.
    pub findings: Findings,
    /// Rows in the file, counted by the importer alone.
    pub rows: i64,
    /// When it was imported.
    pub imported_at: UnixMillis,
    /// When an operator confirmed the number; `None`: nothing is sent.
    pub confirmed_at: Option<UnixMillis>,
    /// Since when nothing more of it is taken, because an operator paused it.
    pub paused_at: Option<UnixMillis>,
    /// When an operator cancelled it: nothing more of it is ever taken.
    pub cancelled_at: Option<UnixMillis>,
    /// The requests a second that an operator holds it to, whatever its settings say.
    pub throttle: Option<f64>,
    /// The purge of it that has begun; whatever it had is never sent again.
    pub purge: Option<Purge>,
}

/// Whether a batch may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confirmation {
    /// Its endpoint reaches nobody, or an operator confirmed it.
    Given,
    /// An operator has to confirm that many invocations first.
    Needed(i64),
}

/// The statement that reads batches, with what is wanted of them.
macro_rules! select_batches {
    ($rest:literal) => {
        concat!(
            "SELECT id, name, service_id, endpoint, account, source_name, source_sha256, columns, settings,
                    findings, row_count, imported_at, confirmed_at, paused_at, cancelled_at, throttle,
                    purge_began_at, purge_how, purged_at FROM batch WHERE imported_at IS NOT NULL ",
            $rest
        )
    };
}

impl Store {
    /// Every batch whose import is complete, oldest first.
    pub async fn batches(&self) -> Result<Vec<Batch>> {
        const ALL: &str = select_batches!("ORDER BY id");
        let rows = query(ALL).fetch_all(&self.readers()).await.map_err(self.failed("list the batches"))?;
        rows.iter().map(|row| self.read_batch(row)).collect()
    }

    /// The batch of that name; `None` where there is none.
    pub async fn batch_named(&self, name: &str) -> Result<Option<Batch>> {
        const NAMED: &str = select_batches!("AND name = $1");
        let row = query(NAMED).bind(name).fetch_optional(&self.readers()).await;
        row.map_err(self.failed("find the batch"))?.map(|row| self.read_batch(&row)).transpose()
    }

    /// The newest batch of the same content, for that service and that endpoint where they are named.
    pub async fn batch_of_content(
        &self,
        sha256: &str,
        service: Option<&ServiceId>,
        endpoint: Option<&Endpoint>,
    ) -> Result<Option<Batch>> {
        const SAME: &str = select_batches!(
            "AND source_sha256 = $1 AND service_id = COALESCE($2, service_id) AND endpoint = COALESCE($3, endpoint)
             ORDER BY id DESC LIMIT 1"
        );
        let row = query(SAME)
            .bind(sha256)
            .bind(service.map(ServiceId::as_str))
            .bind(endpoint.map(ToString::to_string))
            .fetch_optional(&self.readers())
            .await;
        row.map_err(self.failed("look for the same content"))?.map(|row| self.read_batch(&row)).transpose()
    }

    /// The counts by state of each batch asked for, in that order, from the table of counts.
    pub async fn counts(&self, batches: &[BatchId]) -> Result<Vec<Counts>> {
        const COUNTS: &str = "SELECT batch_id, state, invocations FROM state_count
            WHERE batch_id IN (SELECT CAST(value ->> 0 AS BIGINT) FROM json_each($1))";
        let failed = || self.failed("read the counts");
        let ids = ids_text(batches.iter().map(|batch| batch.0));
        let rows = query(COUNTS).bind(ids).fetch_all(&self.readers()).await.map_err(failed())?;
        let mut counts = vec![Counts::default(); batches.len()];
        for row in rows {
            let (batch, invocations) = (row.get::<i64>(0).map_err(failed())?, row.get(2).map_err(failed())?);
            let state: String = row.get(1).map_err(failed())?;
            let state = state.parse().map_err(|error| self.misread("a state", &error))?;
            for (wanted, counts) in batches.iter().zip(&mut counts) {
                if wanted.0 == batch {
                    counts[state] = invocations;
                }
            }
        }
        Ok(counts)
    }

    /// The counts by state of one batch.
    pub async fn counts_of(&self, batch: BatchId) -> Result<Counts> {
        Ok(self.counts(&[batch]).await?.pop().unwrap_or_default())
    }

    /// Notes that an operator confirmed the batch.
    pub async fn confirm(&self, batch: BatchId, actor: &Actor, now: UnixMillis, invocations: i64) -> Result<()> {
        const CONFIRM: &str = "UPDATE batch SET confirmed_at = $2 WHERE id = $1 AND confirmed_at IS NULL";
        let (said, confirm) = (Said { actor, now, reason: None }, query(CONFIRM).bind(batch.0).bind(now.0));
        let detail = json!({ "invocations": invocations });
        self.heed(batch, ActionKind::Confirm, said, confirm, &detail).await.map(drop)
    }

    /// Stores how the batch is sent from now on, and by whom, and who changed what.
    ///
    /// Where other hours are set, every row that was put off for the old ones is due at once, in the same transaction: a turn
    /// judges it by the new ones.
    ///
    /// Whether they are as asked for now. Where somebody has changed them since the batch was read, nothing is changed: what
    /// the other one has set, such as a window, would be lost.
    pub async fn change_settings(
        &self,
        batch: &Batch,
        settings: &Settings,
        account: &str,
        actor: &Actor,
        now: UnixMillis,
    ) -> Result<bool> {
        macro_rules! stored {
            () => {
                "SELECT settings, account FROM batch WHERE id = $1"
            };
        }
        const STORED: Sql = Sql { sqlite: stored!(), postgres: concat!(stored!(), " FOR NO KEY UPDATE") };
        const LET_GO: &str = "UPDATE invocation SET due_at = 0, hold = NULL
            WHERE state = 'pending' AND batch_id = $1 AND hold IS NOT NULL";
        if batch.settings == *settings && batch.account == account {
            return Ok(true);
        }
        let was = json!({ "account": batch.account, "settings": batch.settings });
        let detail = json!({ "was": was, "is": { "account": account, "settings": settings } });
        let mut writer = self.writer().await?;
        let mut tx = writer.begin().await.map_err(self.failed("begin a transaction"))?;
        let failed = || self.failed("change the batch's settings");
        let stored = query(STORED).bind(batch.id.0).fetch_one(&mut tx).await.map_err(failed())?;
        let text: String = stored.get(0).map_err(failed())?;
        let stored_account: String = stored.get(1).map_err(failed())?;
        if read_settings(self, &text)? != batch.settings || stored_account != batch.account {
            tx.rollback().await.map_err(failed())?;
            return Ok(false);
        }
        query("UPDATE batch SET settings = $2, account = $3 WHERE id = $1")
            .bind(batch.id.0)
            .bind(settings_text(settings))
            .bind(account)
            .execute(&mut tx)
            .await
            .map_err(failed())?;
        if batch.settings.schedule != settings.schedule {
            query(LET_GO).bind(batch.id.0).execute(&mut tx).await.map_err(failed())?;
        }
        action::record(&mut tx, batch.id, ActionKind::Settings, actor, now, None, &detail).await.map_err(failed())?;
        tx.commit().await.map_err(failed())?;
        Ok(true)
    }

    fn read_batch(&self, row: &Row) -> Result<Batch> {
        let failed = || self.failed("read a batch");
        let text = |column: &str| row.get::<String>(column).map_err(failed());
        let number = |column: &str| row.get::<i64>(column).map_err(failed());
        let time = |column: &str| Ok(row.get::<Option<i64>>(column).map_err(failed())?.map(UnixMillis));
        Ok(Batch {
            id: BatchId(number("id")?),
            name: text("name")?,
            service: text("service_id")?.parse().map_err(|error| self.misread("a service ID", &error))?,
            endpoint: text("endpoint")?.parse().map_err(|error| self.misread("an endpoint", &error))?,
            account: text("account")?,
            source_name: text("source_name")?,
            source_sha256: text("source_sha256")?,
            columns: serde_json::from_str(&text("columns")?).map_err(|error| self.misread("the columns", &error))?,
            settings: read_settings(self, &text("settings")?)?,
            findings: serde_json::from_str(&text("findings")?).map_err(|error| self.misread("the findings", &error))?,
            rows: number("row_count")?,
            imported_at: UnixMillis(number("imported_at")?),
            confirmed_at: time("confirmed_at")?,
            paused_at: time("paused_at")?,
            cancelled_at: time("cancelled_at")?,
            throttle: row.get("throttle").map_err(failed())?,
            purge: self.read_purge(row)?,
        })
    }

    pub(super) fn misread(&self, what: &str, error: &dyn std::fmt::Display) -> Error {
        let hint = "it is damaged, or somebody has changed it: `mep-batch doctor` says where; send nothing from it before that";
        Error::Unsuitable {
            place: self.place.clone(),
            why: format!("{what} in it cannot be read: {error}\nhint: {hint}"),
        }
    }
}

impl Batch {
    /// The requests a second at which it is sent: an operator's throttle, else what its settings say; `None`: unlimited.
    #[must_use]
    pub fn rate(&self) -> Option<f64> {
        self.throttle.or(self.settings.rate)
    }

    /// Whether its file has a column of the recipients' time zones.
    #[must_use]
    pub fn names_zones(&self) -> bool {
        names_zones(&self.columns)
    }

    /// Whether it may be sent, given how many of its rows would be.
    #[must_use]
    pub fn confirmation(&self, to_send: i64) -> Confirmation {
        if self.confirmed_at.is_some() || !self.endpoint.needs_confirmation() {
            Confirmation::Given
        } else {
            Confirmation::Needed(to_send)
        }
    }
}

/// Whether a file with these mapped names has a column of the recipients' time zones.
#[must_use]
pub fn names_zones(columns: &[String]) -> bool {
    columns.iter().any(|column| column == "timeZone")
}

/// Settings as they are stored.
pub(super) fn read_settings(store: &Store, text: &str) -> Result<Settings> {
    serde_json::from_str(text).map_err(|error| store.misread("the settings", &error))
}

/// How settings are stored.
pub(super) fn settings_text(settings: &Settings) -> String {
    json_text(settings)
}
