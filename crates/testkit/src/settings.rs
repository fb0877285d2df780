//! How a provider behaves.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::provider::Provider;

/// Who approves a login, and when.
///
/// In JSON: `"manual"`, `"auto"`, `"deny"`, `{"auto_after": 1.5}` (seconds) or
/// `{"auto_after_polls": 2}`.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Approval {
    /// The user on the approval page, or a call to `approve` or `deny`.
    #[default]
    Manual,
    /// At once: the first poll succeeds, the authorization page redirects straight away.
    Auto,
    /// By itself after this time.
    AutoAfter(#[serde(with = "seconds")] Duration),
    /// By itself after this many pending responses; in the code flow at once.
    AutoAfterPolls(u32),
    /// Every login is denied.
    Deny,
}

/// What a refresh does to the refresh token. In JSON: `"rotate"`, `"keep"`, `"omit"`.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Rotation {
    /// It is spent, and the response carries its successor.
    Rotate,
    /// It stays valid and is repeated in the response.
    Keep,
    /// It stays valid and the response does not mention it.
    Omit,
}

/// The unit of MiniMax's `expired_in` in token responses. In JSON the name is in snake case.
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

/// How MiniMax rejects a dead refresh token. In JSON the name is in snake case.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RejectionForm {
    /// Status 400 with an `invalid_grant` error body.
    #[default]
    OauthError,
    /// Status 400 with `base_resp`.
    BaseResp,
    /// Status 200 with `status: error` and `base_resp`.
    StatusError,
}

/// The lifetime of a key that does not expire.
pub(crate) const NEVER: Duration = Duration::from_secs(100 * 365 * 86_400);

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
    pub(crate) rejection_form: RejectionForm,
    pub(crate) reply_pieces: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            approval: Approval::Manual,
            interval: Duration::from_secs(2),
            slow_down_step: Duration::from_secs(5),
            code_lifetime: Duration::from_secs(600),
            access_lifetime: Duration::from_secs(3600),
            rotation: Rotation::Rotate,
            grace: Duration::ZERO,
            reuse_revokes_family: true,
            resource_url: None,
            issuer: None,
            expiry_unit: ExpiryUnit::default(),
            rejection_form: RejectionForm::default(),
            reply_pieces: 3,
        }
    }
}

impl Settings {
    pub(crate) fn apply(&mut self, change: &Change) {
        set(&mut self.approval, change.approval);
        set(&mut self.interval, change.interval_seconds.map(duration));
        set(
            &mut self.slow_down_step,
            change.slow_down_seconds.map(duration),
        );
        let lifetime = change.code_lifetime_seconds.map(duration);
        set(&mut self.code_lifetime, lifetime);
        let lifetime = change.access_lifetime_seconds.map(duration);
        set(&mut self.access_lifetime, lifetime);
        set(&mut self.rotation, change.rotation);
        set(&mut self.grace, change.grace_seconds.map(duration));
        set(&mut self.reuse_revokes_family, change.reuse_revokes_family);
        set(&mut self.expiry_unit, change.expiry_unit);
        set(&mut self.rejection_form, change.rejection_form);
        set(&mut self.reply_pieces, change.reply_pieces);
        let none_if_empty = |text: String| Some(text).filter(|text| !text.is_empty());
        let url = change.resource_url.clone().map(none_if_empty);
        set(&mut self.resource_url, url);
        set(&mut self.issuer, change.issuer.clone().map(none_if_empty));
    }
}

fn set<T>(setting: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *setting = value;
    }
}

/// A change of settings as the control API takes it; what is absent stays.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Change {
    #[serde(rename = "vendor")]
    pub(crate) provider: Option<Provider>,
    pub(crate) approval: Option<Approval>,
    pub(crate) interval_seconds: Option<f64>,
    pub(crate) slow_down_seconds: Option<f64>,
    pub(crate) code_lifetime_seconds: Option<f64>,
    pub(crate) access_lifetime_seconds: Option<f64>,
    pub(crate) rotation: Option<Rotation>,
    pub(crate) grace_seconds: Option<f64>,
    pub(crate) reuse_revokes_family: Option<bool>,
    /// An empty string leaves the field out of responses.
    pub(crate) resource_url: Option<String>,
    /// An empty string leaves `iss` out of the redirect.
    pub(crate) issuer: Option<String>,
    pub(crate) expiry_unit: Option<ExpiryUnit>,
    #[serde(rename = "refusal_form")]
    pub(crate) rejection_form: Option<RejectionForm>,
    pub(crate) reply_pieces: Option<usize>,
    pub(crate) date_offset_seconds: Option<i64>,
}

/// A duration from a number of seconds; an invalid one counts as zero.
pub(crate) fn duration(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

mod seconds {
    use std::time::Duration;

    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(value: &Duration, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_f64(value.as_secs_f64())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        f64::deserialize(from).map(super::duration)
    }
}
