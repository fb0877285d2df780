//! Ours beside its peers and beside the floors, in one run. The programs in `bin` are children
//! of the bench: what must be a process of its own, or must not share an allocator.

pub mod databases;
pub mod facts;
pub mod floors;
pub mod load;
pub mod many;
pub mod peer;
pub mod peers;
pub mod proxies;
pub mod refreshes;
pub mod scratch;
pub mod sections;
pub mod server;
pub mod stats;
pub mod table;
pub mod tokens;
pub mod upstream;

use std::error::Error;
use std::path::PathBuf;

pub type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// A program of this crate, which lies beside the one that runs.
pub fn program(name: &str) -> Result<PathBuf> {
    let path = std::env::current_exe()?.with_file_name(name);
    if path.is_file() {
        return Ok(path);
    }
    Err(format!("{} is not built; run `cargo xtask bench`", path.display()).into())
}

/// The release build of the `llm-auth` command, named by `cargo xtask bench`.
pub fn command() -> Result<PathBuf> {
    let named = std::env::var_os("LLM_AUTH_BENCH_COMMAND");
    Ok(named
        .ok_or("the `llm-auth` command is not named; run `cargo xtask bench`")?
        .into())
}
