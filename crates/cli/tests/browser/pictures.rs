//! Where pictures are kept.

use std::fs;
use std::path::PathBuf;

const DIRECTORY: &str = "LLM_AUTH_SCREENSHOTS";

pub(crate) fn keep(name: &str, png: &[u8]) {
    let directory = std::env::var_os(DIRECTORY).map_or_else(
        || PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("pictures"),
        PathBuf::from,
    );
    fs::create_dir_all(&directory).unwrap();
    fs::write(directory.join(format!("{name}.png")), png).unwrap();
}
