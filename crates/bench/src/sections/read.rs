//! What it costs to get a token that is valid.

use std::collections::HashMap;
use std::process::Command;
use std::time::Duration;

use super::readers::{self, GUARD, LOAD_FULL, OURS, Reader};
use crate::stats::{median, number};
use crate::table::Table;
use crate::{Result, program};

const TASKS: [u64; 4] = [1, 2, 8, 64];
const ROUNDS: usize = 9;
const ROUND: Duration = Duration::from_millis(30);

pub fn measure() -> Result<String> {
    let allocations = allocations()?;
    let (readers, _behind, _server) = readers::all()?;
    let mut nanos: HashMap<(usize, u64), f64> = HashMap::new();
    for tasks in TASKS {
        let calls = readers
            .iter()
            .map(|reader| calls_in_a_round(reader.as_ref(), tasks))
            .collect::<Result<Vec<_>>>()?;
        let mut measured = vec![Vec::new(); readers.len()];
        // Interleaved, so that what else the machine does meets all of them.
        for _ in 0..ROUNDS {
            for (at, reader) in readers.iter().enumerate() {
                let took = reader.round(tasks, calls[at])?;
                measured[at].push(took.as_nanos() as f64 / calls[at] as f64);
            }
        }
        for (at, values) in measured.into_iter().enumerate() {
            nanos.insert((at, tasks), median(values));
        }
    }
    let one = |name: &str, tasks| {
        let at = readers.iter().position(|reader| reader.name() == name);
        at.map_or(f64::NAN, |at| nanos[&(at, tasks)])
    };
    let (guard, ours, owned) = (one(GUARD, 1), one(OURS, 1), one(LOAD_FULL, 8));
    let mut table = Table::new(
        "Read of a valid token: ns per call",
        &[
            "",
            "allocations",
            "bytes",
            "T=1",
            "T=2",
            "T=8",
            "T=64",
            "T=1 ÷ guard floor",
            "T=1 ÷ llm-auth",
            "T=8 ÷ T=1",
            "T=8 ÷ `load_full` floor",
        ],
    );
    for (at, reader) in readers.iter().enumerate() {
        let (count, bytes) = allocations.get(reader.name()).cloned().unwrap_or_default();
        let single = nanos[&(at, 1)];
        let mut row = vec![reader.name().to_owned(), count, bytes];
        row.extend(TASKS.iter().map(|tasks| number(nanos[&(at, *tasks)])));
        row.push(format!("{:.1}", single / guard));
        row.push(format!("{:.2}", single / ours));
        row.push(format!("{:.2}", nanos[&(at, 8)] / single));
        row.push(format!("{:.2}", nanos[&(at, 8)] / owned));
        table.row(row);
    }
    table.note(&format!(
        "Medians of {ROUNDS} interleaved rounds of {} ms; a token of 220 characters. T=1: one task on \
         one thread. T=2, 8, 64: tasks on two worker threads, wall time over all calls; T=8 ÷ T=1 \
         below 1 means that a second core makes it faster. Allocations: 1,000 calls after warming \
         up, in a process of its own with a counting allocator.",
        ROUND.as_millis()
    ));
    table.note(
        "¹ Its disk storage, which reads from memory as its memory storage does. The peers hand out a \
         copy of the token or an `Arc` of it; google-cloud-auth also renews in the background.",
    );
    Ok(table.markdown())
}

fn calls_in_a_round(reader: &dyn Reader, tasks: u64) -> Result<u64> {
    reader.round(tasks, 10_000)?;
    let sample = 50_000;
    let took = reader.round(tasks, sample)?;
    let calls = sample as f64 * ROUND.as_secs_f64() / took.as_secs_f64();
    Ok((calls as u64 / tasks).max(100) * tasks)
}

/// Allocations and bytes per call by the name of the reader.
fn allocations() -> Result<HashMap<String, (String, String)>> {
    let output = Command::new(program("allocations")?).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    let text = String::from_utf8(output.stdout)?;
    let lines = text.lines().map(|line| {
        let mut fields = line.split('\t').map(str::to_owned);
        let mut next = || fields.next().unwrap_or_default();
        (next(), (next(), next()))
    });
    Ok(lines.collect())
}
