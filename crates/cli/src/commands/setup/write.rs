//! Merging settings into the file of a tool.

use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::document::{Document, at, obstacle};
use super::files::{Content, Target};
use super::plan::Plan;
use super::record::{Entry, Original, Record};
use super::rivals;
use super::setting::{Leaf, Wrong};
use crate::error::Failure;
use crate::system::files::digest;

/// How often another program may change the file in between.
const ATTEMPTS: usize = 10;

/// What was done.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) is_changed: bool,
    /// Whether there was no file.
    pub(super) is_new: bool,
    /// The copy of the original, if this command has changed the file and there was one.
    pub(super) backup: Option<PathBuf>,
}

/// Merges the settings. With `replaces` they take precedence over what the user wrote.
pub(super) fn write(plan: &Plan, replaces: bool) -> Result<Done, Failure> {
    let mut record = Record::open()?;
    let cannot = |error: io::Error| not_written(&plan.file, &error);
    let target = Target::of(&plan.file).map_err(cannot)?;
    let made = target.make_directory().map_err(cannot)?;
    let done = attempts(plan, replaces, &target, &made, &mut record);
    if done.is_err() {
        target.remove_directories(&made);
    }
    done
}

fn attempts(
    plan: &Plan,
    replaces: bool,
    target: &Target,
    made: &[PathBuf],
    record: &mut Record,
) -> Result<Done, Failure> {
    let held = target.lock();
    let _held = held.map_err(|error| not_written(&plan.file, &error))?;
    for _ in 0..ATTEMPTS {
        if let Some(done) = attempt(plan, replaces, target, made, record)? {
            return Ok(done);
        }
    }
    Err(Failure::Config {
        message: format!(
            "{} was changed by another program again and again",
            plan.file.display()
        ),
        advice: format!("end {}, and try again", plan.tool.title),
    })
}

/// `None` if another program has changed the file in the meantime.
fn attempt(
    plan: &Plan,
    replaces: bool,
    target: &Target,
    made: &[PathBuf],
    record: &mut Record,
) -> Result<Option<Done>, Failure> {
    let cannot = |error: io::Error| not_written(&plan.file, &error);
    let before = target.read().map_err(cannot)?;
    let document = parsed(plan, before.as_ref())?;
    check_readable(plan, &document)?;
    rivals::check(plan)?;
    let value = document.value().map_err(|wrong| unreadable(plan, &wrong))?;
    // Without any of its settings, the file is another: what was recorded is of a former one.
    let is_still_ours = |entry: &&Entry| entry.is_in(&value);
    let known = record.of_file(&plan.file).filter(is_still_ours);
    if !replaces {
        check(plan, &value, known)?;
    }
    let is_there = |leaf: &Leaf| at(&value, &leaf.path) == Some(&leaf.value);
    if plan.leaves.iter().all(is_there) {
        let original = known.and_then(|entry| entry.original.as_ref());
        return Ok(Some(Done {
            is_changed: false,
            is_new: false,
            backup: original.map(|original| original.backup.clone()),
        }));
    }
    let merged = document.with(&plan.leaves);
    let bytes = merged.map_err(|wrong| unreadable(plan, &wrong))?.bytes();
    let mut copied = None;
    let mut entry = match known {
        Some(known) => known.clone(),
        None => Entry {
            tool: plan.tool.name.clone(),
            file: plan.file.clone(),
            format: plan.recipe.format,
            original: original(target, before.as_ref(), &mut copied).map_err(cannot)?,
            sha256: Vec::new(),
            leaves: Vec::new(),
            directories: made.to_vec(),
            unknown: Map::new(),
        },
    };
    // The original is restored only if no change of another program lies between.
    let is_exact = match (&before, &entry.original) {
        (Some(before), original) => {
            let now = digest(&before.bytes);
            let is_original = original.as_ref().is_some_and(|it| it.sha256 == now);
            is_original || entry.sha256.contains(&now)
        }
        (None, original) => original.is_none(),
    };
    if !is_exact {
        entry.sha256.clear();
    } else if !entry.sha256.contains(&digest(&bytes)) {
        entry.sha256.push(digest(&bytes));
    }
    entry.note(&plan.leaves, plan.provider.name());
    let backup = entry
        .original
        .as_ref()
        .map(|original| original.backup.clone());
    let former = record.of_file(&plan.file).cloned();
    // Before the file: what this command wrote is known as such even after a crash.
    record.put(entry)?;
    let replaced = target.replace(before.as_ref(), &bytes, None);
    let is_written = match &replaced {
        Ok(is_replaced) => *is_replaced,
        // It may have failed after the file was replaced.
        Err(_) => !target.holds(before.as_ref()),
    };
    if !is_written {
        record.put_back(&plan.file, former)?;
        // Of a file that was not changed.
        let _stays = copied.map(std::fs::remove_file).transpose();
    }
    Ok(replaced.map_err(cannot)?.then_some(Done {
        is_changed: true,
        is_new: before.is_none(),
        backup,
    }))
}

/// What keeps the settings from being written, whatever else is in the file.
pub(super) fn refused(plan: &Plan) -> Result<(), Failure> {
    let cannot = |error: io::Error| not_written(&plan.file, &error);
    let before = Target::of(&plan.file).and_then(|target| target.read());
    let document = parsed(plan, before.map_err(cannot)?.as_ref());
    let document = document.map_err(|failure| match failure {
        // It has printed them.
        Failure::Config { message, .. } => Failure::Config {
            message,
            advice: "correct the file before --write, or merge these settings yourself".into(),
        },
        failure => failure,
    })?;
    check_readable(plan, &document)?;
    rivals::check(plan)
}

/// Checks that the tool reads the file.
fn check_readable(plan: &Plan, document: &Document) -> Result<(), Failure> {
    let found = document.first_of(&plan.recipe.without);
    let Some(what) = found.map_err(|wrong| unreadable(plan, &wrong))? else {
        return Ok(());
    };
    Err(Failure::Config {
        message: format!(
            "{} has {what}, so {} ignores it; nothing was changed",
            plan.file.display(),
            plan.tool.title
        ),
        advice: format!("remove the {what} first"),
    })
}

/// The original with its copy, and the copy again if it was not there before.
fn original(
    target: &Target,
    before: Option<&Content>,
    copied: &mut Option<PathBuf>,
) -> io::Result<Option<Original>> {
    let original = before.map(|before| {
        let (backup, is_new) = target.back_up(before)?;
        *copied = is_new.then(|| backup.clone());
        Ok(Original {
            backup,
            sha256: digest(&before.bytes),
            mode: before.mode,
            unknown: Map::new(),
        })
    });
    original.transpose()
}

fn parsed(plan: &Plan, before: Option<&Content>) -> Result<Document, Failure> {
    match before {
        None => Ok(Document::new(plan.recipe.format)),
        Some(before) => Document::parse(plan.recipe.format, &before.bytes)
            .map_err(|wrong| unreadable(plan, &wrong)),
    }
}

/// Refuses to replace what the user wrote. Only names are printed: a value may be a secret.
fn check(plan: &Plan, value: &Value, known: Option<&Entry>) -> Result<(), Failure> {
    let taken = plan.leaves.iter().filter_map(|leaf| {
        let (depth, found) = obstacle(value, &leaf.path)?;
        let path = leaf.path.get(..=depth)?;
        let is_whole = path.len() == leaf.path.len();
        let is_same = is_whole && *found == leaf.value;
        let is_ours = known.is_some_and(|entry| entry.has_written(path, found));
        (!is_same && !is_ours).then(|| path.join("."))
    });
    let mut taken: Vec<String> = taken.collect();
    taken.dedup();
    if taken.is_empty() {
        return Ok(());
    }
    Err(Failure::Config {
        message: format!(
            "{} already has another value for {}; nothing was changed",
            plan.file.display(),
            taken.join(", ")
        ),
        advice: "replace it with --replace, which keeps a copy of the file, or edit the file"
            .into(),
    })
}

fn unreadable(plan: &Plan, wrong: &Wrong) -> Failure {
    Failure::Config {
        message: format!(
            "the settings {} cannot be changed: {wrong}; nothing was changed",
            plan.file.display()
        ),
        advice: "correct the file, or merge what the command prints without --write".into(),
    }
}

pub(super) fn not_written(file: &Path, error: &io::Error) -> Failure {
    Failure::Config {
        message: format!("cannot change the settings {}: {error}", file.display()),
        advice: "check the file, its directory and their permissions".into(),
    }
}
