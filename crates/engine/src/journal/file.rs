//! The journal on disk.

use super::record::{Entry, Record, VERSION};
use super::state::Past;
use jiff::Timestamp;
use mosip_prov_events::text::safe_json;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Why the journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file or its folder cannot be made, read or written.
    #[error("the journal {} cannot be {doing}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What was tried: `opened`, `read`, `written`.
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// A line in the middle is not of this format.
    #[error("line {line} of the journal {} is not readable: {reason}", path.display())]
    Broken {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// Why.
        reason: String,
    },
    /// The file was written by a later version of the program.
    #[error("the journal {} has format {found}; this program knows up to {VERSION}: use the newer program", path.display())]
    TooNew {
        /// The file.
        path: PathBuf,
        /// The version found.
        found: u32,
    },
}

/// A journal open for appending, for one run.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    run: String,
    /// The file, and whether the last write failed and may have left a part of its line.
    file: Mutex<(File, bool)>,
    /// The first write that failed, for the run's end to say so.
    failed: Mutex<Option<io::Error>>,
}

impl Journal {
    /// The file in `folder`.
    pub fn path_in(folder: &Path) -> PathBuf {
        folder.join("journal.jsonl")
    }

    /// Everything that is in the journal of `folder`; empty when there is none.
    ///
    /// # Errors
    /// The file cannot be read, or a line before the last is broken.
    pub fn read(folder: &Path) -> Result<Vec<Entry>, JournalError> {
        let mut entries = Vec::new();
        Self::read_to(folder, |entry| entries.push(entry))?;
        Ok(entries)
    }

    fn read_to(folder: &Path, take: impl FnMut(Entry)) -> Result<(), JournalError> {
        let path = Self::path_in(folder);
        match fs::read(&path) {
            Ok(bytes) => each(&path, &String::from_utf8_lossy(&bytes), take),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(source) => Err(JournalError::Io {
                path,
                doing: "read",
                source,
            }),
        }
    }

    /// What past runs left, from the journal of `folder`.
    ///
    /// # Errors
    /// As [`Journal::read`].
    pub fn past(folder: &Path) -> Result<Past, JournalError> {
        // Line by line: a journal of many hosts is long, and what it comes to is not.
        let mut past = Past::default();
        Self::read_to(folder, |entry| past.add(&entry))?;
        Ok(past)
    }

    /// Opens the journal of `folder` for a new run, making folder (0700) and file (0600) when they are not there.
    ///
    /// # Errors
    /// The folder or file cannot be made or written.
    pub fn begin(folder: &Path) -> Result<Self, JournalError> {
        let path = Self::path_in(folder);
        let io = |doing| {
            let path = path.clone();
            move |source| JournalError::Io { path, doing, source }
        };
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(io("made"))?;
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .mode(0o600)
            .open(&path)
            .map_err(io("opened"))?;
        file.set_permissions(fs::Permissions::from_mode(0o600))
            .map_err(io("opened"))?;
        // A line that a crash tore is closed off, so that ours begins on a line of its own.
        if file.seek(SeekFrom::End(0)).map_err(io("read"))? > 0 {
            let mut last = [0];
            file.seek(SeekFrom::End(-1)).map_err(io("read"))?;
            file.read_exact(&mut last).map_err(io("read"))?;
            if last != *b"\n" {
                file.write_all(b"\n").map_err(io("written"))?;
            }
        }
        let now = Timestamp::now();
        let run = format!(
            "{}-{:05}",
            now.strftime("%Y%m%dT%H%M%S%3f"),
            std::process::id() % 100_000
        );
        Ok(Self {
            path,
            run,
            file: Mutex::new((file, false)),
            failed: Mutex::default(),
        })
    }

    /// The name of this run.
    pub fn run(&self) -> &str {
        &self.run
    }

    /// Appends a line.
    pub fn note(&self, record: Record) {
        // The run's end says what could not be written.
        let _ = self.write(record, false);
    }

    /// Appends a line and returns when it is on the disk.
    pub fn promise(&self, record: Record) {
        // The run's end says what could not be written.
        let _ = self.write(record, true);
    }

    /// Appends lines and returns when all are on the disk.
    ///
    /// # Errors
    /// They are not: what they promise must not be begun.
    pub fn promise_all(&self, records: impl IntoIterator<Item = Record>) -> Result<(), JournalError> {
        let mut records = records.into_iter().peekable();
        while let Some(record) = records.next() {
            self.write(record, records.peek().is_none())
                .map_err(|source| self.error(source))?;
        }
        Ok(())
    }

    /// The first write that failed, if any did.
    pub fn failure(&self) -> Option<JournalError> {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.take().map(|source| self.error(source))
    }

    fn error(&self, source: io::Error) -> JournalError {
        JournalError::Io {
            path: self.path.clone(),
            doing: "written",
            source,
        }
    }

    fn write(&self, record: Record, sync: bool) -> Result<(), io::Error> {
        let entry = Entry {
            v: VERSION,
            time: Timestamp::now(),
            run: self.run.clone(),
            record,
        };
        let mut guard = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let (file, torn) = &mut *guard;
        let result = serde_json::to_string(&entry)
            .map_err(io::Error::from)
            .and_then(|mut line| {
                line.push('\n');
                if *torn {
                    // Ours begins on a line of its own.
                    line.insert(0, '\n');
                }
                file.write_all(safe_json(&line).as_bytes())?;
                if sync { file.sync_data() } else { Ok(()) }
            });
        *torn = result.is_err();
        drop(guard);
        result.map_err(|error| {
            let same = match error.raw_os_error() {
                Some(code) => io::Error::from_raw_os_error(code),
                None => error.kind().into(),
            };
            self.failed
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .get_or_insert(error);
            same
        })
    }
}

pub(crate) fn parse(path: &Path, text: &str) -> Result<Vec<Entry>, JournalError> {
    let mut entries = Vec::new();
    each(path, text, |entry| entries.push(entry))?;
    Ok(entries)
}

fn each(path: &Path, text: &str, mut take: impl FnMut(Entry)) -> Result<(), JournalError> {
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let whole = line.ends_with('\n');
        let line = line.trim_end();
        if line.is_empty() {
            continue;
        }
        match serde_json::from_str::<Entry>(line) {
            Ok(entry) if entry.v > VERSION => {
                return Err(JournalError::TooNew {
                    path: path.to_path_buf(),
                    found: entry.v,
                });
            }
            Ok(entry) => take(entry),
            // Torn by a crash: at the end of the file, or closed off by the run after it.
            Err(error) if !whole || error.is_eof() => {}
            Err(error) => {
                return Err(JournalError::Broken {
                    path: path.to_path_buf(),
                    line: index + 1,
                    reason: error.to_string(),
                });
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(outcome: &str) -> Record {
        Record::RunEnded {
            outcome: outcome.into(),
            changed: 0,
            failed: 0,
            unreachable: 0,
        }
    }

    #[test]
    fn what_is_written_is_read_and_only_by_its_owner() {
        let folder = tempfile::tempdir().expect("tempdir");
        let folder = folder.path().join("deep/.mosip-prov");
        assert_eq!(Journal::read(&folder).expect("none yet"), []);
        let journal = Journal::begin(&folder).expect("begins");
        journal.promise(ended("ok"));
        journal.note(ended("failed"));
        assert!(journal.failure().is_none());
        let entries = Journal::read(&folder).expect("readable");
        assert_eq!(entries.len(), 2);
        assert_eq!(
            (entries[1].run.as_str(), &entries[1].record),
            (journal.run(), &ended("failed"))
        );
        let mode = |p: &Path| fs::metadata(p).expect("there").permissions().mode() & 0o777;
        assert_eq!((mode(&folder), mode(&Journal::path_in(&folder))), (0o700, 0o600));
    }

    #[test]
    fn a_torn_last_line_costs_only_itself() {
        let folder = tempfile::tempdir().expect("tempdir");
        let first = Journal::begin(folder.path()).expect("begins");
        first.note(ended("ok"));
        first.note(ended("failed"));
        let path = Journal::path_in(folder.path());
        let text = fs::read(&path).expect("there");
        for cut in 1..60 {
            fs::write(&path, &text[..text.len() - cut]).expect("written");
            let whole = if cut == 1 { 2 } else { 1 };
            assert_eq!(
                Journal::read(folder.path()).expect("readable").len(),
                whole,
                "cut {cut}"
            );
            let next = Journal::begin(folder.path()).expect("begins");
            next.note(ended("ok"));
            assert_eq!(
                Journal::read(folder.path()).expect("readable").len(),
                whole + 1,
                "cut {cut}"
            );
        }
    }

    /// What a full disk does to a line: a part of it is there, and the next one comes when there is space again.
    #[test]
    fn a_line_that_could_not_be_written_whole_costs_only_itself() {
        let folder = tempfile::tempdir().expect("tempdir");
        let journal = Journal::begin(folder.path()).expect("begins");
        journal.note(ended("ok"));
        let path = Journal::path_in(folder.path());
        let mut text = fs::read(&path).expect("there");
        let half = text[..text.len() / 2].to_owned();
        text.extend(half);
        fs::write(&path, &text).expect("written");
        journal.file.lock().expect("unpoisoned").1 = true;
        journal.note(ended("failed"));
        journal.note(ended("ok"));
        assert_eq!(Journal::read(folder.path()).expect("readable").len(), 3);
    }

    #[test]
    fn a_broken_line_in_the_middle_is_named() {
        let folder = tempfile::tempdir().expect("tempdir");
        let path = Journal::path_in(folder.path());
        fs::write(&path, "{\"v\":1,\"oops\":true}\n\n").expect("written");
        let error = Journal::read(folder.path()).expect_err("broken");
        assert!(error.to_string().contains("line 1"), "{error}");
        fs::write(&path, "{\"v\":9,\"time\":\"2026-01-01T00:00:00Z\",\"run\":\"x\",\"type\":\"run_ended\",\"outcome\":\"ok\",\"changed\":0,\"failed\":0,\"unreachable\":0}\n").expect("written");
        assert!(matches!(
            Journal::read(folder.path()),
            Err(JournalError::TooNew { found: 9, .. })
        ));
    }
}
