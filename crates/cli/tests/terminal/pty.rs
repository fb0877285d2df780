//! The command in a terminal of a given size.

use std::ffi::OsStr;
use std::io::{Read as _, Write};
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use rustix::termios::LocalModes;
use vt100::Parser;

use crate::screenshots;
use crate::support::user::User;
use crate::support::wait::PATIENCE;

pub(crate) const WIDE: (u16, u16) = (80, 40);
pub(crate) const NARROW: (u16, u16) = (40, 46);
pub(crate) const SMALL: (u16, u16) = (80, 24);

pub(crate) struct Terminal {
    master: Box<dyn MasterPty + Send>,
    keys: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    output: Receiver<Vec<u8>>,
    parser: Parser,
    /// Every byte that the program wrote.
    pub(crate) raw: Vec<u8>,
}

/// Variables beside those that every test has; a later one wins.
pub(crate) type Variables<'a> = &'a [(&'a str, &'a str)];

impl Terminal {
    pub(crate) fn start(
        user: &User,
        size: (u16, u16),
        args: &[&str],
        variables: Variables<'_>,
    ) -> Self {
        let words = user.words(args);
        let args: Vec<&str> = words.iter().skip(1).map(String::as_str).collect();
        Self::run(user, size, words[0].as_ref(), &args, variables)
    }

    /// A shell with job control that leaves the terminal's modes alone, and whose variable
    /// `LLM_AUTH` is the command.
    pub(crate) fn shell(user: &User, size: (u16, u16)) -> Self {
        // No argument of it has a space in it.
        let command = user.words(&[]).join(" ");
        let variables = [
            ("LLM_AUTH", command.as_str()),
            ("PS1", "READY "),
            ("PATH", "/usr/bin:/bin"),
        ];
        let args = ["--norc", "--noediting", "-i"];
        Self::run(user, size, "bash".as_ref(), &args, &variables)
    }

    pub(crate) fn run(
        user: &User,
        size: (u16, u16),
        program: &OsStr,
        args: &[&str],
        variables: Variables<'_>,
    ) -> Self {
        let (cols, rows) = size;
        let pair = native_pty_system().openpty(PtySize {
            rows,
            cols,
            pixel_width: 0,
            pixel_height: 0,
        });
        let pair = pair.unwrap();
        let known = user.command(&[]);
        let mut command = CommandBuilder::new(program);
        command.args(args);
        command.cwd(user.directory.path());
        command.env_clear();
        for (name, value) in known.get_envs() {
            command.env(name, value.unwrap_or_default());
        }
        command.env("TERM", "xterm-256color");
        command.env("LANG", "C.UTF-8");
        for (name, value) in variables {
            command.env(name, value);
        }
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let (keys, mut reader) = (
            pair.master.take_writer().unwrap(),
            pair.master.try_clone_reader().unwrap(),
        );
        let (sender, output) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                if sender.send(buffer[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self {
            master: pair.master,
            keys,
            child,
            output,
            parser: Parser::new(rows, cols, 0),
            raw: Vec::new(),
        }
    }

    /// Waits until the screen shows this.
    pub(crate) fn wait_for(&mut self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.screen().contains(text) {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.output.recv_timeout(left) {
                Ok(bytes) => self.take(&bytes),
                Err(why) => panic!("{why}: no {text:?} on the screen:\n{}", self.screen()),
            }
        }
    }

    /// Waits until the screen does not show this any more.
    pub(crate) fn wait_until_gone(&mut self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        while self.screen().contains(text) {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.output.recv_timeout(left) {
                Ok(bytes) => self.take(&bytes),
                Err(why) => panic!("{why}: {text:?} stays on the screen:\n{}", self.screen()),
            }
        }
    }

    pub(crate) fn send(&mut self, text: &str) {
        self.keys.write_all(text.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    /// What is on the screen, rows with their ends trimmed.
    pub(crate) fn screen(&self) -> String {
        self.parser.screen().contents()
    }

    pub(crate) fn written(&self) -> String {
        String::from_utf8_lossy(&self.raw).into_owned()
    }

    /// What the program wrote, without colours and other things that a terminal does not show.
    pub(crate) fn plain_text(&self) -> String {
        let written = self.written();
        let mut parts = written.split("\u{1b}[");
        let mut plain = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let end = part.find(|c: char| c.is_ascii_alphabetic());
            plain.push_str(&part[end.map_or(0, |at| at + 1)..]);
        }
        plain
    }

    /// The page of a sign-in, found whole and on one line among the bytes that were written.
    pub(crate) fn page(&self, start: &str) -> String {
        let written = self.plain_text();
        let line = written
            .lines()
            .map(|line| line.trim_end_matches('\r'))
            .find(|line| line.starts_with(start));
        line.unwrap_or_else(|| panic!("no {start} in {written}"))
            .to_owned()
    }

    pub(crate) fn hides_cursor(&self) -> bool {
        self.parser.screen().hide_cursor()
    }

    /// Whether the terminal shows what is typed.
    pub(crate) fn echoes(&self) -> bool {
        let terminal = self.master.get_termios().unwrap();
        terminal.local_flags.bits() & LocalModes::ECHO.bits() != 0
    }

    /// Whether the terminal gives lines, as a shell expects it.
    pub(crate) fn gives_lines(&self) -> bool {
        let terminal = self.master.get_termios().unwrap();
        terminal.local_flags.bits() & LocalModes::ICANON.bits() != 0
    }

    pub(crate) fn picture(&self, name: &str, title: &str) {
        screenshots::of_terminal(name, title, self.parser.screen());
    }

    /// Waits for the end: the exit code.
    pub(crate) fn end(&mut self) -> u32 {
        while let Ok(bytes) = self.output.recv_timeout(PATIENCE) {
            self.take(&bytes);
        }
        self.child.wait().unwrap().exit_code()
    }

    fn take(&mut self, bytes: &[u8]) {
        self.raw.extend_from_slice(bytes);
        self.parser.process(bytes);
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _gone = self.child.kill();
    }
}
