//! The events that `--json` writes. The page of the command documents them.

use serde::Serialize;

use super::streams::{self, VERSION};
use crate::error::Failure;

/// One event: an object on one line.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub(crate) enum Event<'a> {
    /// `login`: the browser returned, or a pasted code is being redeemed.
    Answered {},
    /// `login`: the page where the user approves the sign-in.
    AuthorizationUrl {
        url: &'a str,
        redirect_uri: &'a str,
        expires_in_seconds: u64,
    },
    #[cfg(feature = "demo")]
    Demo { ok: bool, claims: Vec<Claim<'a>> },
    /// `login`: the code and the page of a device sign-in.
    DeviceCode {
        user_code: &'a str,
        verification_uri: &'a str,
        verification_uri_complete: Option<&'a str>,
        url: &'a str,
        expires_in_seconds: u64,
        interval_seconds: Option<f64>,
    },
    /// The command failed.
    Error(ErrorReport<'a>),
    /// `login`, before all others: it leaves the provider's own servers.
    ForeignEndpoints {
        #[serde(rename = "vendor")]
        provider: &'a str,
        endpoints: Vec<ForeignEndpoint<'a>>,
        proxy: Option<String>,
    },
    /// `import`: a session of another program.
    Found {
        source: &'a str,
        file: String,
        #[serde(rename = "vendor")]
        provider: &'a str,
        identity: Option<String>,
        expires_at: Option<String>,
        renewable: bool,
        rotates: bool,
        readable_by_others: bool,
        can_be_taken_over: bool,
        why_not: Option<String>,
    },
    /// `login`: something that is not the response reached the redirect URI or was pasted.
    Ignored { why: &'a str, pasted: bool },
    /// `login`: so many events `ignored` were left out.
    IgnoredMore { dropped: u64 },
    /// `import`: the session is stored here now.
    Imported {
        source: &'a str,
        #[serde(rename = "vendor")]
        provider: &'a str,
        account: &'a str,
        store: &'a str,
        expires_at: Option<String>,
    },
    /// `login`: no further pasted address is tried.
    PastesExhausted {},
    /// `login`: the session is stored.
    SignedIn {
        #[serde(rename = "vendor")]
        provider: &'a str,
        account: &'a str,
        store: &'a str,
        identity: Option<String>,
        expires_at: Option<String>,
        expires_at_ms: Option<i64>,
        scope: Option<String>,
        api_base: Option<String>,
        notification: Option<String>,
        replaced: bool,
        kept_aside: Option<String>,
    },
    /// `logout`: what became of the session.
    SignedOut {
        #[serde(rename = "vendor")]
        provider: &'a str,
        account: &'a str,
        was_signed_in: bool,
        revocation: &'a str,
        message: &'a str,
        kept_aside: Option<String>,
        current: Option<&'a str>,
    },
    /// `login`: the provider wants fewer polls.
    SlowedDown { interval_seconds: f64 },
    /// `switch`: another account is the current one.
    Switched {
        #[serde(rename = "vendor")]
        provider: &'a str,
        account: &'a str,
    },
    /// `login`: something failed, and the sign-in goes on.
    Trouble { kind: &'a str, message: &'a str },
    /// `login`: the time that is left.
    Waiting { left_seconds: u64 },
}

/// A failure as programs read it.
#[derive(Debug, Serialize)]
pub(crate) struct ErrorReport<'a> {
    pub(crate) kind: &'a str,
    pub(crate) message: &'a str,
    pub(crate) advice: Option<&'a str>,
    pub(crate) exit_code: u8,
    /// Left out if the command is about no provider in particular.
    #[serde(rename = "vendor", skip_serializing_if = "Option::is_none")]
    pub(crate) provider: Option<&'a str>,
}

/// A server that is not the provider's own.
#[derive(Debug, Serialize)]
pub(crate) struct ForeignEndpoint<'a> {
    pub(crate) name: &'a str,
    pub(crate) endpoint: &'a str,
    pub(crate) set_by: Option<&'a str>,
}

/// Something that the demo checked.
#[cfg(feature = "demo")]
#[derive(Debug, Serialize)]
pub(crate) struct Claim<'a> {
    pub(crate) claim: &'a str,
    pub(crate) holds: bool,
}

/// An object with the version of the shape.
#[derive(Debug, Serialize)]
struct Versioned<T> {
    v: u32,
    #[serde(flatten)]
    content: T,
}

#[derive(Serialize)]
struct Failed<'a> {
    error: Versioned<&'a ErrorReport<'a>>,
}

fn versioned<T>(content: T) -> Versioned<T> {
    Versioned {
        v: VERSION,
        content,
    }
}

impl Event<'_> {
    /// Writes the last event of a command.
    pub(crate) fn print(&self) -> Result<(), Failure> {
        streams::json(&versioned(self))
    }

    /// Writes an event of something that goes on.
    pub(crate) fn send(&self) -> Result<(), Failure> {
        streams::event(&versioned(self))
    }
}

impl ErrorReport<'_> {
    /// Writes the failure in place of the object that a command writes.
    pub(crate) fn print(&self) -> Result<(), Failure> {
        streams::json(&versioned(Failed {
            error: versioned(self),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = include_str!("../../../../docs/cli/json.md");

    /// The line of the page's table on this event.
    fn row(event: &str) -> &'static str {
        let start = format!("| `{event}` |");
        let mut rows = PAGE.lines().filter(|line| line.starts_with(&start));
        rows.next().unwrap()
    }

    #[test]
    fn the_page_names_every_member_of_the_events_of_a_sign_in() {
        let error = ErrorReport {
            kind: "denied",
            message: "",
            advice: None,
            exit_code: 5,
            provider: Some("qwen"),
        };
        for event in [
            Event::Answered {},
            Event::AuthorizationUrl {
                url: "",
                redirect_uri: "",
                expires_in_seconds: 1,
            },
            Event::DeviceCode {
                user_code: "",
                verification_uri: "",
                verification_uri_complete: None,
                url: "",
                expires_in_seconds: 1,
                interval_seconds: None,
            },
            Event::Error(error),
            Event::ForeignEndpoints {
                provider: "qwen",
                endpoints: Vec::new(),
                proxy: None,
            },
            Event::Ignored {
                why: "",
                pasted: false,
            },
            Event::IgnoredMore { dropped: 1 },
            Event::PastesExhausted {},
            Event::SignedIn {
                provider: "qwen",
                account: "",
                store: "",
                identity: None,
                expires_at: None,
                expires_at_ms: Some(1),
                scope: None,
                api_base: None,
                notification: None,
                replaced: false,
                kept_aside: None,
            },
            Event::SlowedDown {
                interval_seconds: 1.0,
            },
            Event::Trouble {
                kind: "",
                message: "",
            },
            Event::Waiting { left_seconds: 1 },
        ] {
            let json = serde_json::to_value(versioned(&event)).unwrap();
            assert_eq!(json["v"], VERSION, "{json}");
            let row = row(json["event"].as_str().unwrap());
            for member in json.as_object().unwrap().keys() {
                let is_everywhere = ["event", "v"].contains(&member.as_str());
                let named = row.contains(&format!("`{member}`"));
                assert!(is_everywhere || named, "{member}: {row}");
            }
        }
    }
}
