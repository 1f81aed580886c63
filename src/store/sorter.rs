//! Sorts more than memory is to hold: in runs, each of which is sorted and put aside into one temporary file, and which are
//! merged while they are read.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::{File, Permissions};
use std::io;
use std::os::unix::fs::{FileExt, PermissionsExt};

use super::{Error, Result, scratch};

/// What is sorted: numbers, of which the first that differs decides.
pub type Key = [u64; 3];

/// Keys that are sorted at once, 6 MiB of them: the largest file makes forty such runs.
const RUN_KEYS: usize = 1 << 18;

/// Keys of one run that are read back at once, 24 KiB of them.
const BLOCK_KEYS: usize = 1 << 10;

const KEY_BYTES: usize = size_of::<Key>();
const BLOCK_BYTES: usize = BLOCK_KEYS * KEY_BYTES;

/// Takes keys in any order.
#[derive(Debug, Default)]
pub struct Sorter {
    run: Vec<Key>,
    aside: Aside,
}

/// Runs that were put aside, one behind another; all but the last of one length.
#[derive(Debug, Default)]
struct Aside {
    file: Option<File>,
    runs: usize,
}

/// All that a sorter has taken, to be read in order as often as it is asked for.
#[derive(Debug)]
pub struct Sorted {
    last: Vec<Key>,
    aside: Aside,
}

/// One reading of all keys in order.
#[derive(Debug)]
pub struct InOrder<'s> {
    sources: Vec<Source<'s>>,
    /// The next key of each source that has one.
    heads: BinaryHeap<Reverse<(Key, usize)>>,
}

#[derive(Debug)]
enum Source<'s> {
    Memory(std::slice::Iter<'s, Key>),
    File { file: &'s File, next: u64, end: u64, block: Vec<u8>, at: usize },
}

impl Sorter {
    /// Takes a key.
    pub fn add(&mut self, key: Key) -> Result<()> {
        if self.run.len() == RUN_KEYS {
            self.put_aside()?;
        }
        self.run.push(key);
        Ok(())
    }

    /// All of them in order.
    pub fn sorted(mut self) -> Sorted {
        self.run.sort_unstable();
        Sorted { last: self.run, aside: self.aside }
    }

    fn put_aside(&mut self) -> Result<()> {
        self.run.sort_unstable();
        let file = match &mut self.aside.file {
            Some(file) => file,
            empty @ None => empty.insert(nameless().map_err(unusable)?),
        };
        let mut bytes = Vec::with_capacity(BLOCK_BYTES);
        let mut place = (self.aside.runs * RUN_KEYS * KEY_BYTES) as u64;
        for block in self.run.chunks(BLOCK_KEYS) {
            bytes.clear();
            bytes.extend(block.iter().flatten().flat_map(|number| number.to_le_bytes()));
            file.write_all_at(&bytes, place).map_err(unusable)?;
            place += bytes.len() as u64;
        }
        self.aside.runs += 1;
        self.run.clear();
        Ok(())
    }
}

impl Sorted {
    /// Reads them from the first on.
    pub fn in_order(&self) -> Result<InOrder<'_>> {
        let run_bytes = (RUN_KEYS * KEY_BYTES) as u64;
        let aside = self.aside.file.iter().flat_map(|file| {
            (0..self.aside.runs as u64).map(move |run| {
                let (next, end) = (run * run_bytes, (run + 1) * run_bytes);
                Source::File { file, next, end, block: Vec::new(), at: 0 }
            })
        });
        let mut sources: Vec<Source<'_>> = aside.collect();
        sources.push(Source::Memory(self.last.iter()));
        let mut heads = BinaryHeap::with_capacity(sources.len());
        for (place, source) in sources.iter_mut().enumerate() {
            heads.extend(source.next_key()?.map(|key| Reverse((key, place))));
        }
        Ok(InOrder { sources, heads })
    }
}

impl InOrder<'_> {
    /// The next key; `None` at the end.
    pub fn next_key(&mut self) -> Result<Option<Key>> {
        let Some(mut head) = self.heads.peek_mut() else { return Ok(None) };
        let Reverse((key, place)) = *head;
        match self.sources[place].next_key()? {
            Some(next) => *head = Reverse((next, place)),
            None => drop(std::collections::binary_heap::PeekMut::pop(head)),
        }
        Ok(Some(key))
    }

    /// The next so many keys; fewer at the end.
    pub fn next_keys(&mut self, count: usize) -> Result<Vec<Key>> {
        let mut keys = Vec::with_capacity(count);
        while keys.len() < count
            && let Some(key) = self.next_key()?
        {
            keys.push(key);
        }
        Ok(keys)
    }
}

impl Source<'_> {
    fn next_key(&mut self) -> Result<Option<Key>> {
        let (file, next, end, block, at) = match self {
            Source::Memory(keys) => return Ok(keys.next().copied()),
            Source::File { file, next, end, block, at } => (file, next, end, block, at),
        };
        if *at == block.len() {
            let length = usize::try_from(*end - *next).map_or(BLOCK_BYTES, |left| left.min(BLOCK_BYTES));
            if length == 0 {
                return Ok(None);
            }
            block.resize(length, 0);
            file.read_exact_at(block, *next).map_err(unusable)?;
            (*next, *at) = (*next + length as u64, 0);
        }
        let mut numbers = block[*at..*at + KEY_BYTES]
            .chunks_exact(8)
            .map(|bytes| u64::from_le_bytes(bytes.try_into().expect("a chunk is as long as it was asked to be")));
        *at += KEY_BYTES;
        Ok(Some(std::array::from_fn(|_| numbers.next().unwrap_or_default())))
    }
}

/// A temporary file that goes with this process, however it ends. Phone numbers are in it, and whoever may look into this
/// process may open what has no name too.
fn nameless() -> io::Result<File> {
    let file = tempfile::tempfile()?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    Ok(file)
}

fn unusable(error: io::Error) -> Error {
    scratch::failed("sort the rows")(sqlx::Error::Io(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fills_several_runs_comes_in_order_each_time() {
        let count = (RUN_KEYS * 2 + RUN_KEYS / 2) as u64;
        let mut sorter = Sorter::default();
        for number in 0..count {
            let scattered = number.wrapping_mul(7_368_787) % count;
            sorter.add([scattered / 3, scattered % 3, number]).expect("taken");
        }
        let sorted = sorter.sorted();
        assert_eq!(sorted.aside.runs, 2);
        let aside = sorted.aside.file.as_ref().expect("a file").metadata().expect("its mode");
        assert_eq!(aside.permissions().mode() & 0o777, 0o600);
        for _ in 0..2 {
            let mut keys = sorted.in_order().expect("readable");
            for number in 0..count {
                let [high, low, _] = keys.next_key().expect("readable").expect("a key");
                assert_eq!(high * 3 + low, number);
            }
            assert_eq!(keys.next_key().expect("readable"), None);
        }
    }

    #[test]
    fn nothing_is_an_order_too() {
        let sorted = Sorter::default().sorted();
        assert!(sorted.in_order().expect("readable").next_keys(3).expect("readable").is_empty());
    }
}
