//! The labels of the table.

/// The label of a client's result, given the `Debug` name of its error kind, of its
/// classification of an API response or of its poll result; the name itself if it has no label.
pub(crate) fn label_of(name: &str) -> &str {
    match name {
        "Config" => "config_error",
        "Denied" => "denied",
        "Expired" => "expired",
        "Ok" => "ok",
        "Pending" => "pending",
        "PolicyDenied" => "policy_denied",
        "Protocol" => "protocol_error",
        "Quota" => "quota",
        "RateLimited" => "rate_limited",
        "Ready" => "token",
        "Redirected" => "redirect",
        "RefreshNeeded" => "refresh_needed",
        "RefreshRejected" => "reauth_required",
        "SlowDown" => "slow_down",
        "StateMismatch" => "state_mismatch",
        "Transient" => "transient",
        other => other,
    }
}
