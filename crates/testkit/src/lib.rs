//! Qwen, MiniMax and Google's authorization servers in one process, on a real loopback socket.
//!
//! They are strict and they remember: PKCE, `state`, the redirect URI, the polling interval, the
//! rotation of refresh tokens and the revocation of a whole family when a spent one comes back. What
//! a real vendor refuses is refused and counted, so that a test can ask the other side of the wire
//! what it saw. Faults can be scripted for any endpoint, before or after the request is processed.
//! Each vendor has a small chat endpoint that accepts only a live access token.
//!
//! Nothing here is shared with the clients of `llm-auth`: a mistake cannot be made on both sides.
//!
//! # Examples
//!
//! ```
//! use std::time::Duration;
//!
//! use llm_auth_testkit::{Approval, Endpoint, Fault, Testkit};
//!
//! # fn main() -> std::io::Result<()> {
//! let kit = Testkit::builder()
//!     .approval(Approval::Auto)
//!     .interval(Duration::from_millis(50))
//!     .start_blocking()?;
//! kit.qwen().fault(Endpoint::Refresh, Fault::drop_connection().after());
//!
//! // ... sign in with the vendor's host set to `kit.base_url()`, let the token expire, refresh ...
//! kit.qwen().expire_access_tokens();
//!
//! let seen = kit.qwen().counters();
//! assert_eq!((seen.reuse, seen.too_fast), (0, 0));
//! assert_eq!(kit.qwen().violations(), Vec::<String>::new());
//! # Ok(())
//! # }
//! ```
//!
//! Other processes use the same server through the binary of this crate, which prints its base URL,
//! and the control API under `/testkit` (a page there explains it).

mod answer;
mod chat;
mod clock;
mod code;
mod consent;
mod control;
mod counters;
mod device;
mod dispatch;
mod door;
mod fault;
mod google;
mod grants;
mod kit;
mod minimax;
mod page;
mod patch;
mod pkce;
mod qwen;
mod random;
mod request;
mod scripted;
mod server;
mod settings;
mod state;
mod stream;
mod vendor;
mod vendor_kit;
mod wire;
mod wire_cases;

pub use counters::Counters;
pub use fault::Fault;
pub use kit::{Testkit, TestkitBuilder};
pub use scripted::{ScriptedAnswer, ScriptedRequest, ScriptedServer};
pub use settings::{Approval, ExpiryUnit, RefusalForm, Rotation};
pub use vendor::{Endpoint, Vendor};
pub use vendor_kit::VendorKit;
pub use wire_cases::{WireCase, label_of, wire_cases};
