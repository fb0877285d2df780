//! What all of them can do: hand out a token, or say how it ended.

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Ended {
    Token,
    /// The caller is told, or made, to sign in again.
    Login,
    /// The caller is told that it may pass by itself.
    Later,
    /// The caller is told no more than that it failed.
    Failed,
}

pub trait Peer: Send + Sync + 'static {
    fn token(&self) -> impl Future<Output = Ended> + Send;
}
