//! Where the key of encrypted sessions is.

use std::io::{IsTerminal as _, Read as _, stdin};
use std::path::Path;

use llm_auth_core::{Error, ErrorKind, files};
use zeroize::Zeroizing;

use super::key_command::{self, LONGEST};
use crate::error::Failure;
use crate::session::store_name::KeySource;
use crate::system::files::check_private;
use crate::ui::streams::say;
use crate::ui::tty::HiddenInput;

/// The key; `None` if it is a passphrase.
pub(crate) fn read(source: &KeySource) -> Result<Option<Zeroizing<Vec<u8>>>, Failure> {
    if let Some(file) = &source.file {
        check_private("the key file", file)?;
        let key = files::read_or_pipe(file, LONGEST).map_err(|error| Failure::Config {
            message: format!("cannot read the key file {}: {error}", file.display()),
            advice: "name the file that the sessions were encrypted with".into(),
        })?;
        return Ok(Some(trimmed(key)));
    }
    let printed = source
        .command
        .as_deref()
        .map(key_command::printed)
        .transpose()?;
    Ok(printed.map(trimmed))
}

/// The key without line ends after it, so that every store has the same key from an editor's file.
fn trimmed(mut key: Zeroizing<Vec<u8>>) -> Zeroizing<Vec<u8>> {
    while matches!(key.last(), Some(b'\n' | b'\r')) {
        key.pop();
    }
    key
}

/// A key that no store takes, with advice about its source.
pub(crate) fn unfit(error: Error, source: &KeySource) -> Failure {
    if error.kind() != ErrorKind::Config {
        return error.into();
    }
    let why = error.message();
    match (&source.file, &source.command) {
        (Some(file), _) => Failure::Config {
            message: format!("the key file {}: {why}", file.display()),
            advice: "name one with --key-file that has them: \
                     (umask 077; head -c 32 /dev/urandom | base64 > FILE)"
                .into(),
        },
        (None, Some(command)) => Failure::Config {
            message: format!("the command for the key: {why}"),
            advice: format!("run it to see what it prints: {command}"),
        },
        (None, None) => Failure::Config {
            message: why.to_owned(),
            advice:
                "nothing was changed; enter a passphrase, or name a key with --key-file FILE or \
                     --key-command COMMAND"
                    .into(),
        },
    }
}

/// Asks for the passphrase of a directory at the terminal; twice if it is a new one.
pub(crate) fn ask(directory: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let place = directory.display();
    let unable = || Failure::Config {
        message: format!(
            "the sessions in {place} are encrypted, and there is no terminal to ask for the passphrase"
        ),
        advice: "name the key with --key-file FILE or --key-command COMMAND".into(),
    };
    if !stdin().is_terminal() {
        return Err(unable());
    }
    let hidden = HiddenInput::begin().ok_or_else(unable)?;
    say(&format!(
        "Passphrase of the sessions in {place} (it is not shown):"
    ));
    let passphrase = line()?;
    if !directory.join(".encryption.json").exists() {
        repeated(&passphrase)?;
    }
    drop(hidden);
    Ok(passphrase)
}

/// Asks once more for a passphrase that is not the one of the directory, which has no session yet.
pub(crate) fn ask_again(passphrase: &[u8]) -> Result<(), Failure> {
    let _hidden = HiddenInput::begin();
    repeated(passphrase)
}

fn repeated(passphrase: &[u8]) -> Result<(), Failure> {
    say("The same again, since it is new; without it, the sessions are lost:");
    match *line()? == *passphrase {
        true => Ok(()),
        false => Err(Failure::Usage(
            "the two passphrases differ; nothing was changed".into(),
        )),
    }
}

/// A line of a terminal that does not edit lines.
fn line() -> Result<Zeroizing<Vec<u8>>, Failure> {
    let mut line = Zeroizing::new(Vec::with_capacity(1024));
    for byte in stdin().lock().bytes() {
        match byte.map_err(Failure::Output)? {
            b'\n' | b'\r' => return Ok(line),
            0x08 | 0x7f => drop(line.pop()),
            // The end of the input.
            0x04 => break,
            byte if line.len() < line.capacity() => line.push(byte),
            _ => {}
        }
    }
    Err(Failure::Usage(
        "no passphrase was entered; nothing was changed".into(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_ends_after_a_key_do_not_count() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("key");
        for (content, key) in [
            ("made-up-key", "made-up-key"),
            ("made-up-key\n", "made-up-key"),
            ("made-up-key\r\n\n", "made-up-key"),
            ("\nmade-up\nkey \n", "\nmade-up\nkey "),
        ] {
            files::replace(&file, content.as_bytes()).unwrap();
            let by_file = KeySource {
                file: Some(file.clone()),
                command: None,
            };
            assert_eq!(read(&by_file).unwrap().unwrap().as_slice(), key.as_bytes());
        }
        let by_command = KeySource {
            file: None,
            command: Some("echo made-up-key".to_owned()),
        };
        assert_eq!(
            read(&by_command).unwrap().unwrap().as_slice(),
            b"made-up-key"
        );
    }
}
