//! What the examples share: a prompt that writes plain lines to standard error.
#![allow(clippy::print_stderr, reason = "it talks to a person")]

use llm_auth::{LoginEvent, UserPrompt};

/// Shows a sign-in in the terminal.
#[derive(Clone, Copy, Debug, Default)]
pub struct Terminal;

impl UserPrompt for Terminal {
    fn notify(&self, event: &LoginEvent<'_>) {
        match event {
            LoginEvent::AuthorizationUrl { url, .. } => {
                eprintln!("Open this address in a browser on this computer:\n{url}");
            }
            LoginEvent::DeviceCode { device, .. } => {
                eprintln!("Open this address:\n{}", device.best_uri());
                eprintln!("The code is {}.", device.user_code);
            }
            LoginEvent::Retrying { error, .. } => eprintln!("{error}; still trying"),
            _ => {}
        }
    }
}

/// The examples of the project's README, compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
