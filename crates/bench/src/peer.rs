//! What all of them can do: hand out a token, or return how it ended.

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Ended {
    Token,
    /// The caller must sign in again.
    Login,
    /// The failure may pass by itself; the caller may retry.
    Later,
    /// The call failed, and the caller learns no reason.
    Failed,
}

pub trait Peer: Send + Sync + 'static {
    fn token(&self) -> impl Future<Output = Ended> + Send;
}
