//! The simulated providers: one file each, and what they have in common.

mod chat;
mod consent;
mod gemini;
mod minimax;
mod qwen;
mod simulated;

use gemini::Gemini;
use minimax::MiniMax;
use qwen::Qwen;

use crate::oauth::Client;
use crate::provider::Provider;

pub(crate) use simulated::SimulatedProvider;

/// The provider of that name, with Google's client for the one that needs it.
pub(crate) fn simulated(provider: Provider, google: &Client) -> Box<dyn SimulatedProvider> {
    match provider {
        Provider::Qwen => Box::new(Qwen),
        Provider::MiniMax => Box::new(MiniMax),
        Provider::Gemini => Box::new(Gemini::new(google.clone())),
    }
}

pub(crate) use gemini::client_file;
