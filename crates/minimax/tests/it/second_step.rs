//! The one crate that its user depends on is enough for the second step as well.
mod steps;

use llm_auth_minimax as vendor;
