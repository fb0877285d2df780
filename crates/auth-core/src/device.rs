//! The device authorization grant (RFC 8628): the one polling loop.

mod authorization;
mod poll;
mod schedule;

pub use authorization::DeviceAuthorization;
pub use poll::poll_until_decided;
pub use schedule::PollSchedule;
