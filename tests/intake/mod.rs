//! A batch of rows that may be sent, stored in chunks as an import stores it.

use mep_batch::invocation::{Findings, Fingerprint, ImportedRow, RowContent, Settings, UnixMillis};
use mep_batch::store::{Actor, Batch, NewBatch, Store};

pub(crate) const NOW: UnixMillis = UnixMillis(1_795_348_800_000);

pub(crate) fn actor() -> Actor {
    Actor { who: "op".to_owned(), host: "here".to_owned(), version: "0".to_owned() }
}

/// Stores so many rows, at lines 2 and on, as a batch of that name.
pub(crate) async fn import(store: &Store, name: &str, rows: u32) -> Batch {
    let lock = store.import_lock().await.expect("the lock");
    let mut intake = store.begin_intake(lock, NOW).await.expect("an intake");
    let rows: Vec<_> = (0..rows).map(|row| ready(row + 2)).collect();
    for chunk in rows.chunks(3) {
        intake.add(intake.preparation().prepare(chunk.to_vec())).await.expect("a chunk");
    }
    let said: Vec<_> = rows.iter().map(|row| says(row.line, 1)).collect();
    intake.note(intake.preparation().prepare_notes(&said)).await.expect("noted");
    intake.finish(&new_batch(name, rows.len()), &actor()).await.expect("finished");
    store.batch_named(name).await.expect("read").expect("the batch")
}

pub(crate) fn ready(line: u32) -> ImportedRow {
    let phone = 12_515_550_000 + u64::from(line);
    let body = format!(r#"{{"endUser":{{"phoneNumber":{phone}}}}}"#);
    ImportedRow { line, content: RowContent::Ready { body, phone, time_zone: None } }
}

/// What the row at that line says, and to whom.
pub(crate) fn says(line: u32, request_hash: i64) -> Fingerprint {
    Fingerprint { phone: 12_515_550_000 + u64::from(line), request_hash, line }
}

pub(crate) fn new_batch(name: &str, rows: usize) -> NewBatch {
    NewBatch {
        name: Some(name.to_owned()),
        stem: name.to_owned(),
        service: "ABC123".parse().expect("an ID"),
        endpoint: "simulator".parse().expect("an endpoint"),
        account: String::new(),
        source_name: "a.csv".to_owned(),
        source_sha256: "00".to_owned(),
        file_sha256: "00".to_owned(),
        columns: vec!["phoneNumber".to_owned()],
        findings: Findings::default(),
        settings: Settings::default(),
        rows: i64::try_from(rows).expect("few rows"),
    }
}
