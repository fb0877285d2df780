//! Allocations and bytes per read of a valid token, one line each. A program of its own: the
//! counting allocator must not slow down what is timed.

use llm_auth_bench::Result;
use llm_auth_bench::sections::readers;

const CALLS: u64 = 1000;

fn main() -> Result<()> {
    let (readers, _behind, _server) = readers::all()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    for reader in readers {
        reader.calls_here(&runtime, CALLS);
        let seen = allocation_counter::measure(|| reader.calls_here(&runtime, CALLS));
        let per_call = |total: u64| (total as f64 / CALLS as f64).round();
        println!(
            "{}\t{}\t{}",
            reader.name(),
            per_call(seen.count_total),
            per_call(seen.bytes_total)
        );
    }
    Ok(())
}
