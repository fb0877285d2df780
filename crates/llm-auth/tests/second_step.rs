//! The one crate that its user depends on is enough for the second step as well.
#[path = "second_step/steps.rs"]
mod steps;

use llm_auth as vendor;
