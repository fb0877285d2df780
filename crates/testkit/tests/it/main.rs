//! The simulated providers, called over real sockets.
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on should say where"
)]

mod anthropic_messages;
mod api_tokens;
mod client;
#[cfg(feature = "conformance")]
mod conformance;
mod control_api;
#[cfg(feature = "conformance")]
mod dropped_callers;
mod event_stream;
mod google_code_flow;
mod google_generate_content;
mod interrupted_streams;
mod minimax_device_flow;
mod openai_chat_completions;
mod openai_responses;
mod program;
mod provider_apis;
mod qwen_device_flow;
mod scripted_faults;
mod standard_provider;
#[cfg(feature = "conformance")]
mod store_contract;
