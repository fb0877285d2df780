//! What a proxy adds to a request, one after another and many at once.

use std::time::Duration;

use tokio::runtime::Builder;

use crate::Result;
use crate::load::Load;
use crate::proxies::Way;
use crate::stats::{median, number, spread};
use crate::table::Table;
use crate::upstream::Upstream;

const CLIENTS: [usize; 2] = [1, 32];
const ROUNDS: usize = 7;
const ROUND: Duration = Duration::from_secs(2);

/// One figure for each round.
#[derive(Clone, Default)]
struct Figures {
    half: Vec<f64>,
    slow: Vec<f64>,
    per_second: Vec<f64>,
    processor: Vec<f64>,
}

pub fn measure() -> Result<String> {
    let ways = Way::all();
    let upstream = Upstream::start()?;
    let opened = ways.iter().map(|way| way.open(&upstream));
    let opened = opened.collect::<Result<Vec<_>>>()?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let mut figures = vec![vec![Figures::default(); ways.len()]; CLIENTS.len()];
    // Interleaved, so that what else the machine does meets all of them.
    for _ in 0..ROUNDS {
        for (clients, cells) in CLIENTS.iter().zip(&mut figures) {
            for (way, cell) in opened.iter().zip(cells) {
                let before = way.processor_seconds()?;
                let load = runtime.block_on(Load::run(way, *clients, ROUND))?;
                let processor = way.processor_seconds()? - before;
                cell.half.push(load.percentile(50));
                cell.slow.push(load.percentile(99));
                cell.per_second.push(load.per_second());
                cell.processor.push(processor * 1e6 / load.count() as f64);
            }
        }
    }
    let mut table = Table::new(
        "Proxy: a request of 1 KiB, a response of 600 bytes, connections kept open",
        &[
            "",
            "clients",
            "p50 µs",
            "p99 µs",
            "added p50 µs",
            "÷ nginx",
            "added p99 µs",
            "÷ nginx",
            "requests per s",
            "÷ nginx",
            "processor µs per request",
        ],
    );
    let nginx = ways.iter().position(|way| *way == Way::Nginx);
    for (clients, cells) in CLIENTS.iter().zip(&figures) {
        let of_nginx = nginx.map(|at| &cells[at]);
        for (way, cell) in ways.iter().zip(cells) {
            let mut row = vec![way.name().to_owned(), clients.to_string()];
            row.push(spread(&cell.half));
            row.push(spread(&cell.slow));
            for part in [
                |cell: &Figures| cell.half.clone(),
                |cell: &Figures| cell.slow.clone(),
            ] {
                let added = |cell: &Figures| added(part(cell), part(&cells[0]));
                let ratio = of_nginx.map(|nginx| added(cell) / added(nginx));
                row.extend(match way {
                    Way::Bare => ["–".into(), "–".into()],
                    _ => [number(added(cell)), ratio.map_or("–".into(), two)],
                });
            }
            let per_second = |cell: &Figures| median(cell.per_second.clone());
            row.push(number(per_second(cell).round()));
            let ratio = of_nginx.map(|nginx| per_second(cell) / per_second(nginx));
            row.push(ratio.map_or("–".into(), two));
            row.push(match way {
                Way::Bare => "–".into(),
                _ => number(median(cell.processor.clone())),
            });
            table.row(row);
        }
    }
    table.note(&format!(
        "Median [smallest..largest] of {ROUNDS} interleaved rounds of {} s; what is added is the \
         median of the differences to the upstream itself in the same round. The clients share one \
         thread; the upstream is a process of its own with one thread, on the same cores. Both proxies check a key and \
         set the token, over HTTP/1.1 without TLS. nginx: `proxy_buffering off`, `keepalive 64`, \
         `access_log off`; it does not look into responses, which `serve` reads for a refusal of the \
         token.",
        ROUND.as_secs()
    ));
    if nginx.is_none() {
        table.note(Way::NO_NGINX);
    }
    Ok(table.markdown())
}

/// What each round adds to the floor of the same round; the median.
fn added(values: Vec<f64>, floor: Vec<f64>) -> f64 {
    let differences = values.iter().zip(floor);
    median(differences.map(|(value, floor)| value - floor).collect())
}

fn two(ratio: f64) -> String {
    format!("{ratio:.2}")
}
