//! What the middleware of `llm-auth-http` allocates for a request.

use std::process::Command;

use crate::stats::number;
use crate::table::Table;
use crate::upstream::Upstream;
use crate::{Result, program};

pub fn measure() -> Result<String> {
    let upstream = Upstream::start()?;
    let output = Command::new(program("middleware")?)
        .arg(upstream.address.to_string())
        .output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    let text = String::from_utf8(output.stdout)?;
    let figures = |name: &str| -> Result<[f64; 2]> {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        let mut fields = line.ok_or("a client is missing")?.split_whitespace();
        let mut next =
            || -> Result<f64> { Ok(fields.next().ok_or("a figure is missing")?.parse()?) };
        Ok([next()?, next()?])
    };
    let header = figures("header")?;
    let mut table = Table::new(
        "Middleware: allocations of a request of 1 KiB over an open connection",
        &["", "allocations", "bytes", "added", "bytes added"],
    );
    for (name, title) in [
        ("header", "floor: reqwest-middleware with constant headers"),
        ("copy", "the same, with a copy for a second attempt"),
        ("session", "**llm-auth** `SessionClient`"),
    ] {
        let [count, bytes] = figures(name)?;
        table.row([
            title.to_owned(),
            number(count),
            number(bytes),
            number(count - header[0]),
            number(bytes - header[1]),
        ]);
    }
    table.note(
        "Medians of 1,001 requests on one thread, in a process of its own with a counting allocator; \
         the upstream is another process. The constant headers are those of Qwen's API: the token and \
         two others.",
    );
    Ok(table.markdown())
}
