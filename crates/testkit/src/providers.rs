//! The simulated providers, and what they share.

mod chat;
mod consent;
mod gemini;
mod github;
mod huggingface;
mod keys;
mod minimax;
mod openrouter;
mod poe;
mod qwen;
mod simulated;
mod standard;

use gemini::Gemini;
use github::GitHub;
use huggingface::huggingface;
use minimax::MiniMax;
use openrouter::OpenRouter;
use poe::Poe;
use qwen::Qwen;

use crate::oauth::Client;
use crate::provider::Provider;

pub(crate) use simulated::SimulatedProvider;
pub use standard::StandardProvider;

/// The configurable parts of the providers.
#[derive(Clone, Debug)]
pub(crate) struct Configuration {
    pub(crate) google_client: Client,
    pub(crate) standard: StandardProvider,
}

/// The provider of that name.
pub(crate) fn simulated(
    provider: Provider,
    configuration: &Configuration,
) -> Box<dyn SimulatedProvider> {
    match provider {
        Provider::OpenRouter => Box::new(OpenRouter),
        Provider::HuggingFace => Box::new(huggingface()),
        Provider::Poe => Box::new(Poe),
        Provider::GitHub => Box::new(GitHub),
        Provider::Qwen => Box::new(Qwen),
        Provider::MiniMax => Box::new(MiniMax),
        Provider::Gemini => Box::new(Gemini::new(configuration.google_client.clone())),
        Provider::Standard => Box::new(configuration.standard.clone()),
    }
}

pub(crate) use gemini::client_file;
