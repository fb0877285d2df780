//! The simulated vendors, asked over real sockets.
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on should say where"
)]

#[path = "suite/binary.rs"]
mod binary;
#[path = "suite/common.rs"]
mod common;
#[path = "suite/control.rs"]
mod control;
#[path = "suite/faults.rs"]
mod faults;
#[path = "suite/google.rs"]
mod google;
#[path = "suite/minimax.rs"]
mod minimax;
#[path = "suite/qwen.rs"]
mod qwen;
#[path = "suite/standard.rs"]
mod standard;
