//! Taking back what was written.

use std::io;
use std::path::PathBuf;

use llm_auth_core::files;
use serde_json::Value;

use super::document::{Document, at};
use super::elsewhere::{self, Skipped};
use super::files::{Content, LARGEST, Target, is_backup};
use super::leftovers;
use super::recipes::Tool;
use super::record::{Entry, Original, Record};
use super::setting::Wrong;
use super::write::not_written;
use crate::error::Failure;
use crate::system::files::digest;

/// How often another program may change the file in between.
const ATTEMPTS: usize = 10;

/// What was done to one file.
#[derive(Debug)]
pub(super) struct Undone {
    pub(super) file: PathBuf,
    pub(super) how: How,
    /// The copy of the original that is left.
    pub(super) backup: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum How {
    /// The original is back, byte for byte.
    Restored,
    /// There was no file, and there is none again.
    Removed,
    /// The file was changed since, and only the settings were taken out.
    TakenOut,
    /// Nothing of what was written was there any more.
    Nothing,
}

/// What was done to the files of a tool.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) undone: Vec<Undone>,
    /// Those in other directories.
    pub(super) skipped: Vec<Skipped>,
}

/// Undoes everything for a tool, or only what was written for one provider: in the files that are
/// the tool's now, so that a record of another process changes no file of its choice.
pub(super) fn undo(tool: &Tool, provider: Option<&str>) -> Result<Outcome, Failure> {
    let mut record = Record::open()?;
    let is_meant = |name: &str| provider.is_none_or(|provider| provider == name);
    let (mut entries, mut gone, mut skipped) = (Vec::new(), Vec::new(), Vec::new());
    for entry in record.of_tool(&tool.name) {
        if !entry.leaves.iter().any(|ours| is_meant(&ours.provider)) {
            continue;
        }
        if elsewhere::is_of_call(tool, &entry.file)? {
            check(&entry)?;
            entries.push(entry);
        } else if matches!(entry.file.try_exists(), Ok(false)) {
            gone.push(entry);
        } else {
            skipped.push(elsewhere::skipped(tool, &entry, provider)?);
        }
    }
    // All or nothing, of several files too.
    for entry in &entries {
        let cannot = |error: io::Error| not_written(&entry.file, &error);
        let now = Target::of(&entry.file).and_then(|target| target.read());
        if let Some(now) = now.map_err(cannot)?
            && !is_original(entry, &now)
        {
            taken_out(tool, entry, &document(entry, &now)?, &is_meant)?;
        }
    }
    let mut undone = Vec::new();
    for entry in &entries {
        undone.push(undo_file(tool, &mut record, entry, &is_meant)?);
    }
    for entry in gone {
        record.forget(&entry.file)?;
        undone.push(Undone {
            file: entry.file,
            how: How::Nothing,
            backup: entry.original.map(|original| original.backup),
        });
    }
    Ok(Outcome { undone, skipped })
}

fn is_original(entry: &Entry, now: &Content) -> bool {
    let original = entry.original.as_ref();
    original.is_some_and(|original| original.sha256 == digest(&now.bytes))
}

fn document(entry: &Entry, now: &Content) -> Result<Document, Failure> {
    Document::parse(entry.format, &now.bytes).map_err(|wrong| unreadable(entry, &wrong))
}

fn unreadable(entry: &Entry, wrong: &Wrong) -> Failure {
    not_written(&entry.file, &io::Error::other(wrong.to_string()))
}

/// The settings that still have the values that were written.
///
/// # Errors
///
/// Others of them have another value: what is left would not be what the user had, and a credential
/// could go to another URL.
fn ours_in<'a>(
    entry: &'a Entry,
    document: &Document,
    is_meant: &dyn Fn(&str) -> bool,
) -> Result<Vec<&'a [String]>, Failure> {
    let value: Value = document
        .value()
        .map_err(|wrong| unreadable(entry, &wrong))?;
    let meant = entry.leaves.iter().filter(|ours| is_meant(&ours.provider));
    let there = meant.filter_map(|ours| Some((ours.path.as_slice(), at(&value, &ours.path)?)));
    let (ours, changed): (Vec<_>, Vec<_>) =
        there.partition(|(path, found)| entry.has_written(path, found));
    let names = |paths: &[(&[String], &Value)]| {
        let names: Vec<String> = paths.iter().map(|(path, _)| path.join(".")).collect();
        names.join(", ")
    };
    if !ours.is_empty() && !changed.is_empty() {
        return Err(Failure::Config {
            message: format!(
                "{} now has another value for {}, which would stay without {}; nothing was taken out",
                entry.file.display(),
                names(&changed),
                names(&ours)
            ),
            advice: format!(
                "set {} back to what was written, or remove all of these together; then run it again",
                names(&changed)
            ),
        });
    }
    Ok(ours.into_iter().map(|(path, _)| path).collect())
}

/// The file without the settings; `None` if none of them is there.
fn taken_out(
    tool: &Tool,
    entry: &Entry,
    document: &Document,
    is_meant: &dyn Fn(&str) -> bool,
) -> Result<Option<Document>, Failure> {
    let paths = ours_in(entry, document, is_meant)?;
    if paths.is_empty() {
        return Ok(None);
    }
    let wrong = |wrong: Wrong| unreadable(entry, &wrong);
    let without = document.without(&paths).map_err(wrong)?;
    let original = entry.original.as_ref().and_then(copy);
    let original = original.and_then(|bytes| Document::parse(entry.format, &bytes).ok());
    let original = original.and_then(|original| original.value().ok());
    let (original, left) = (
        original.unwrap_or_default(),
        without.value().map_err(wrong)?,
    );
    leftovers::check(tool, entry, &original, &left, is_meant)?;
    Ok(Some(without))
}

/// The record may be another's: only copies that are named as those of `setup` are read and removed.
fn check(entry: &Entry) -> Result<(), Failure> {
    let is_named = |original: &Original| is_backup(&entry.file, &original.backup);
    if entry.original.as_ref().is_none_or(is_named) {
        return Ok(());
    }
    Err(Failure::Config {
        message: format!(
            "the record of what setup wrote names a copy of {} that setup has not made: nothing was \
             changed",
            entry.file.display()
        ),
        advice: "restore the file yourself, and remove its entry from setup.json".into(),
    })
}

fn undo_file(
    tool: &Tool,
    record: &mut Record,
    entry: &Entry,
    is_meant: &dyn Fn(&str) -> bool,
) -> Result<Undone, Failure> {
    let cannot = |error: io::Error| not_written(&entry.file, &error);
    let target = Target::of(&entry.file).map_err(cannot)?;
    let _held = target.lock().map_err(cannot)?;
    let is_all = entry.leaves.iter().all(|ours| is_meant(&ours.provider));
    for _ in 0..ATTEMPTS {
        let now = target.read().map_err(cannot)?;
        let done = match is_all {
            true => whole(&target, entry, now.as_ref()).map_err(cannot)?,
            false => None,
        };
        let done = match done {
            Some(Attempt::Interrupted) => continue,
            Some(Attempt::Done(how)) => {
                record.forget(&entry.file)?;
                target.remove_directories(&entry.directories);
                // Another file of that name is not ours.
                let original = entry.original.as_ref().filter(|it| copy(it).is_some());
                let removed = original.map(|original| std::fs::remove_file(&original.backup));
                // The user may have removed it.
                let _gone = removed.transpose();
                Some(how)
            }
            None => None,
        };
        if let Some(how) = done {
            return Ok(Undone {
                file: entry.file.clone(),
                how,
                backup: None,
            });
        }
        if let Some(how) = single(tool, &target, record, entry, now.as_ref(), is_meant)? {
            let original = entry.original.as_ref();
            return Ok(Undone {
                file: entry.file.clone(),
                how,
                backup: original.map(|original| original.backup.clone()),
            });
        }
    }
    Err(Failure::Config {
        message: format!(
            "{} was changed by another program again and again",
            entry.file.display()
        ),
        advice: format!("end {}, and try again", entry.tool),
    })
}

enum Attempt {
    Done(How),
    /// Another program changed the file in the meantime.
    Interrupted,
}

/// Restores the original, if the file holds what was written, or the original already.
fn whole(target: &Target, entry: &Entry, now: Option<&Content>) -> io::Result<Option<Attempt>> {
    let digest = now.map(|now| digest(&now.bytes));
    let is_ours = digest.as_ref().is_some_and(|it| entry.sha256.contains(it));
    match &entry.original {
        None if now.is_none() => Ok(Some(Attempt::Done(How::Nothing))),
        None if is_ours => {
            target.remove()?;
            Ok(Some(Attempt::Done(How::Removed)))
        }
        Some(original) if digest.as_ref() == Some(&original.sha256) => {
            Ok(Some(Attempt::Done(How::Restored)))
        }
        Some(original) if is_ours => {
            let Some(bytes) = copy(original) else {
                return Ok(None);
            };
            Ok(Some(
                match target.replace(now, &bytes, Some(original.mode & 0o777))? {
                    true => Attempt::Done(How::Restored),
                    false => Attempt::Interrupted,
                },
            ))
        }
        _ => Ok(None),
    }
}

/// The original, if its copy is still what it was.
fn copy(original: &Original) -> Option<Vec<u8>> {
    let bytes = files::read(&original.backup, LARGEST).ok()?;
    (digest(&bytes) == original.sha256).then(|| bytes.to_vec())
}

/// Takes out the settings that still have the values that were written. `None` if another program
/// changed the file in the meantime.
fn single(
    tool: &Tool,
    target: &Target,
    record: &mut Record,
    entry: &Entry,
    now: Option<&Content>,
    is_meant: &dyn Fn(&str) -> bool,
) -> Result<Option<How>, Failure> {
    let cannot = |error: io::Error| not_written(&entry.file, &error);
    let mut rest = entry.clone();
    rest.leaves.retain(|ours| !is_meant(&ours.provider));
    let mut how = How::Nothing;
    let mut bytes = None;
    if let Some(now) = now {
        let document = document(entry, now)?;
        if let Some(without) = taken_out(tool, entry, &document, is_meant)? {
            how = How::TakenOut;
            let without = without.bytes();
            if entry.sha256.contains(&digest(&now.bytes)) {
                rest.sha256.push(digest(&without));
            }
            bytes = Some(without);
        }
    }
    if !rest.leaves.is_empty() {
        record.put(rest.clone())?;
    }
    if let Some(bytes) = bytes
        && !target.replace(now, &bytes, None).map_err(cannot)?
    {
        return Ok(None);
    }
    if rest.leaves.is_empty() {
        record.forget(&entry.file)?;
    }
    Ok(Some(how))
}
