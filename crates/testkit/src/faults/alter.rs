//! Faults that change the provider's response, if it is one that they can change.

use super::fault::Kind;
use super::patch::{Template, apply_patch};
use crate::http::{Body, Interrupt, Interruption, Response};

/// Changes the response; `false` if the fault finds nothing to change in it.
pub(crate) fn alter(kind: &Kind, response: &mut Response, values: &Template) -> bool {
    let (kind, after) = match kind {
        Kind::Patch { patch } => return apply_patch(patch, response, values),
        Kind::HoldStream { pieces } => (Interrupt::Hold, *pieces),
        Kind::CutStream { pieces } => (Interrupt::Cut, *pieces),
        Kind::StreamError { pieces } => (Interrupt::Error, *pieces),
        _ => return false,
    };
    let Body::Events(events) = &mut response.body else {
        return false;
    };
    events.interruption = Some(Interruption { kind, after });
    true
}

impl Kind {
    /// Whether [`alter`] carries out the fault.
    pub(crate) fn alters_response(&self) -> bool {
        matches!(
            self,
            Self::Patch { .. }
                | Self::HoldStream { .. }
                | Self::CutStream { .. }
                | Self::StreamError { .. }
        )
    }
}
