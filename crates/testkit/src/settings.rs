//! How a vendor behaves.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::provider::Vendor;

/// Who approves a login, and when.
///
/// In JSON: `"manual"`, `"auto"`, `"deny"`, `{"auto_after": 1.5}` (seconds) or
/// `{"auto_after_polls": 2}`.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Approval {
    /// A person on the approval page, or a call to `approve` or `deny`.
    #[default]
    Manual,
    /// At once: the first poll succeeds, the authorization page redirects straight away.
    Auto,
    /// By itself after this time.
    AutoAfter(#[serde(with = "seconds")] Duration),
    /// By itself after this many pending answers; in the code flow at once.
    AutoAfterPolls(u32),
    /// Every login is refused.
    Deny,
}

/// What a refresh does to the refresh token. In JSON: `"rotate"`, `"keep"`, `"omit"`.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Rotation {
    /// It is spent, and the answer carries its successor.
    Rotate,
    /// It stays valid and is repeated in the answer.
    Keep,
    /// It stays valid and the answer does not mention it.
    Omit,
}

/// The unit of MiniMax's `expired_in` in token answers. In JSON the name is in snake case.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ExpiryUnit {
    /// Unix time in milliseconds.
    #[default]
    EpochMillis,
    /// Unix time in seconds.
    EpochSeconds,
    /// Seconds from now.
    RelativeSeconds,
}

/// How MiniMax says that a refresh token is dead. In JSON the name is in snake case.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RefusalForm {
    /// Status 400 with an `invalid_grant` error body.
    #[default]
    OauthError,
    /// Status 400 with `base_resp`.
    BaseResp,
    /// Status 200 with `status: error` and `base_resp`.
    StatusError,
}

#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) approval: Approval,
    pub(crate) interval: Duration,
    pub(crate) slow_down_step: Duration,
    pub(crate) code_lifetime: Duration,
    pub(crate) access_lifetime: Duration,
    pub(crate) rotation: Rotation,
    pub(crate) grace: Duration,
    pub(crate) reuse_revokes_family: bool,
    pub(crate) resource_url: Option<String>,
    pub(crate) issuer: Option<String>,
    pub(crate) expiry_unit: ExpiryUnit,
    pub(crate) refusal_form: RefusalForm,
}

impl Settings {
    pub(crate) fn of(vendor: Vendor, base_url: &str) -> Self {
        Self {
            approval: Approval::Manual,
            interval: Duration::from_secs(2),
            slow_down_step: Duration::from_secs(5),
            code_lifetime: Duration::from_secs(match vendor {
                Vendor::Qwen => 1800,
                Vendor::MiniMax => 600,
                Vendor::Gemini => 60,
            }),
            access_lifetime: Duration::from_secs(3600),
            rotation: match vendor {
                Vendor::Qwen | Vendor::MiniMax => Rotation::Rotate,
                Vendor::Gemini => Rotation::Omit,
            },
            grace: Duration::ZERO,
            reuse_revokes_family: true,
            resource_url: match vendor {
                Vendor::Qwen => Some(base_url.to_owned()),
                Vendor::MiniMax => Some(format!("{base_url}/anthropic")),
                Vendor::Gemini => None,
            },
            issuer: (vendor == Vendor::Gemini).then(|| "https://accounts.google.com".to_owned()),
            expiry_unit: ExpiryUnit::default(),
            refusal_form: RefusalForm::default(),
        }
    }

    pub(crate) fn apply(&mut self, change: &Change) {
        set(&mut self.approval, change.approval);
        set(&mut self.interval, change.interval_seconds.map(long));
        set(&mut self.slow_down_step, change.slow_down_seconds.map(long));
        let lifetime = change.code_lifetime_seconds.map(long);
        set(&mut self.code_lifetime, lifetime);
        let lifetime = change.access_lifetime_seconds.map(long);
        set(&mut self.access_lifetime, lifetime);
        set(&mut self.rotation, change.rotation);
        set(&mut self.grace, change.grace_seconds.map(long));
        set(&mut self.reuse_revokes_family, change.reuse_revokes_family);
        set(&mut self.expiry_unit, change.expiry_unit);
        set(&mut self.refusal_form, change.refusal_form);
        let none_if_empty = |text: String| Some(text).filter(|text| !text.is_empty());
        let url = change.resource_url.clone().map(none_if_empty);
        set(&mut self.resource_url, url);
        set(&mut self.issuer, change.issuer.clone().map(none_if_empty));
    }
}

fn set<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

/// A change of settings as the control API takes it; what is absent stays.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Change {
    pub(crate) vendor: Option<Vendor>,
    pub(crate) approval: Option<Approval>,
    pub(crate) interval_seconds: Option<f64>,
    pub(crate) slow_down_seconds: Option<f64>,
    pub(crate) code_lifetime_seconds: Option<f64>,
    pub(crate) access_lifetime_seconds: Option<f64>,
    pub(crate) rotation: Option<Rotation>,
    pub(crate) grace_seconds: Option<f64>,
    pub(crate) reuse_revokes_family: Option<bool>,
    /// An empty string leaves the field out of answers.
    pub(crate) resource_url: Option<String>,
    /// An empty string leaves `iss` out of the redirect.
    pub(crate) issuer: Option<String>,
    pub(crate) expiry_unit: Option<ExpiryUnit>,
    pub(crate) refusal_form: Option<RefusalForm>,
    pub(crate) date_offset_seconds: Option<i64>,
}

/// A length from a number of seconds; nonsense counts as zero.
pub(crate) fn long(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

mod seconds {
    use std::time::Duration;

    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(value: &Duration, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_f64(value.as_secs_f64())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        f64::deserialize(from).map(super::long)
    }
}
