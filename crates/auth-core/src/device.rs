//! The device authorization grant (RFC 8628): its one polling loop.

mod authorization;
mod poll;
mod schedule;

pub use authorization::DeviceAuthorization;
pub use poll::poll_for_token;
pub use schedule::PollSchedule;
