//! Scripted servers, and the label of an error.

use llm_auth_core::Error;

use super::super::subject::expect;
use crate::cases::label_of;
use crate::scripted::{ScriptedResponse, ScriptedServer};

pub(super) async fn scripted<const N: usize>(
    script: [ScriptedResponse; N],
) -> Result<ScriptedServer, String> {
    expect("the scripted server", ScriptedServer::start(script).await)
}

pub(super) fn of_error(error: &Error) -> String {
    label_of(&format!("{:?}", error.kind())).to_owned()
}
