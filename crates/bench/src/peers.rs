//! Ours and the others, each as its documentation says.

pub mod azure;
pub mod gcp;
pub mod google;
pub mod ours;
pub mod yup;

/// The one scope that all of them are asked for.
pub const SCOPE: &str = "https://example.com/auth/bench";
