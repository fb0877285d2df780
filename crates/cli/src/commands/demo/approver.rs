//! The approval of the demo's sign-ins, after a pause in which the user can do it.

use std::sync::Arc;
use std::time::Duration;

use llm_auth_core::{LoginEvent, UserPrompt};
use llm_auth_testkit::Testkit;
use tokio::time::sleep;

use super::http;
use super::output::Output;
use super::provider::Stage;
use crate::ui::login_prompt::LoginPrompt;

/// Approves in the user's stead, after a pause in which they may do it themselves.
#[derive(Clone, Debug)]
pub(super) struct Approver {
    kit: Arc<Testkit>,
    pause: Duration,
    output: Output,
}

/// Shows a sign-in as `llm-auth login` does, and has the user act.
#[derive(Debug)]
pub(super) struct Prompt {
    approver: Approver,
    stage: &'static Stage,
    prompt: LoginPrompt,
}

impl Approver {
    pub(super) fn new(kit: Arc<Testkit>, pause: Duration, output: Output) -> Self {
        Self { kit, pause, output }
    }

    /// The prompt for a sign-in at this provider.
    pub(super) fn at(&self, stage: &'static Stage) -> Prompt {
        Prompt {
            approver: self.clone(),
            stage,
            prompt: LoginPrompt::of_demo(self.output.json),
        }
    }

    fn announce(&self) {
        // The listener's own failure ends the demo at the next line it writes.
        let _unheard = self.output.print(&if self.pause.is_zero() {
            "(The demo approves the sign-in by itself.)".to_owned()
        } else {
            let seconds = self.pause.as_secs();
            format!("(Approve it there, or wait: the demo approves it in {seconds} seconds.)")
        });
    }

    fn enter_code(self, stage: &'static Stage, code: String) {
        let _acts = tokio::spawn(async move {
            sleep(self.pause).await;
            (stage.simulated)(&self.kit).approve(&code);
        });
    }

    /// What a browser does: the page, the button, the redirect back.
    fn browse(self, url: String) {
        let _acts = tokio::spawn(async move {
            let Ok(_page) = http::get(&url).await else {
                return;
            };
            sleep(self.pause).await;
            if self.kit.gemini().approve_all() == 0 {
                // The user was faster.
                return;
            }
            if let Ok(Some(back)) = http::get(&url).await {
                let _seen = http::get(&back).await;
            }
        });
    }
}

impl UserPrompt for Prompt {
    fn notify(&self, event: &LoginEvent<'_>) {
        self.prompt.notify(event);
        let approver = self.approver.clone();
        match event {
            LoginEvent::DeviceCode { device, .. } => {
                approver.announce();
                approver.enter_code(self.stage, device.user_code.clone());
            }
            LoginEvent::AuthorizationUrl { url, .. } => {
                approver.announce();
                approver.browse((*url).to_owned());
            }
            _ => {}
        }
    }
}
