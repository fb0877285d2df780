//! Which sessions are due when, and which wait for their server.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::process;
use std::sync::Weak;

use crate::admission::{Lane, Room};
use crate::manager::Shared;

/// A session in the queue. It is not kept in memory by that.
#[derive(Debug)]
pub(super) struct Due<T> {
    /// In Unix milliseconds.
    pub(super) at: i64,
    pub(super) member: Weak<T>,
}

impl<T> Ord for Due<T> {
    /// The earliest is the greatest, which a heap returns first.
    fn cmp(&self, other: &Self) -> Ordering {
        other.at.cmp(&self.at)
    }
}

impl<T> PartialOrd for Due<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> PartialEq for Due<T> {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl<T> Eq for Due<T> {}

/// Where a session waits for its turn.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) enum Work {
    /// For a look at the store.
    Look,
    Refresh(Lane),
}

#[derive(Debug)]
struct Queue<T> {
    ready: VecDeque<Due<T>>,
    running: u32,
}

/// All sessions that are due at some time, and the work in progress for them.
#[derive(Debug)]
pub(super) struct Schedule<T = Shared> {
    /// The process whose work is counted: in a forked child there is none of it.
    process: u32,
    later: BinaryHeap<Due<T>>,
    queues: HashMap<Work, Queue<T>>,
    /// The work with sessions that wait; the first one gets the next turn.
    turns: VecDeque<Work>,
    running: u32,
    /// By provider.
    of_provider: Vec<u32>,
    total_limit: u32,
    provider_limit: u32,
}

impl<T> Schedule<T> {
    pub(super) fn new(total_limit: u32, provider_limit: u32, providers: usize) -> Self {
        Self {
            process: process::id(),
            later: BinaryHeap::new(),
            queues: HashMap::new(),
            turns: VecDeque::new(),
            running: 0,
            of_provider: vec![0; providers],
            total_limit,
            provider_limit,
        }
    }

    /// Forgets the work of a parent process, in progress or not.
    pub(super) fn check_process(&mut self) {
        if self.process != process::id() {
            self.process = process::id();
            self.queues.clear();
            self.turns.clear();
            self.running = 0;
            self.of_provider.fill(0);
        }
    }

    /// Adds a session, and returns whether it is the next one that is due.
    pub(super) fn push(&mut self, at: i64, member: Weak<T>) -> bool {
        let is_first = self.next_at().is_none_or(|first| at < first);
        self.later.push(Due { at, member });
        is_first
    }

    /// When the next session is due.
    pub(super) fn next_at(&self) -> Option<i64> {
        self.later.peek().map(|due| due.at)
    }

    /// A session that is due.
    pub(super) fn pop(&mut self, now: i64) -> Option<Due<T>> {
        let is_due = self.next_at().is_some_and(|at| at <= now);
        is_due.then(|| self.later.pop()).flatten()
    }

    /// Lets a session wait for its turn.
    pub(super) fn wait_for(&mut self, work: Work, due: Due<T>) {
        let queue = self.queues.entry(work).or_insert_with(|| Queue {
            ready: VecDeque::new(),
            running: 0,
        });
        if queue.ready.is_empty() {
            self.turns.push_back(work);
        }
        queue.ready.push_back(due);
    }

    /// The next session whose turn it is, one of each work after another. `capacity` is how much of
    /// a work may be in progress.
    pub(super) fn begin(
        &mut self,
        mut capacity: impl FnMut(Lane) -> Room,
    ) -> Option<(Work, Due<T>)> {
        for _ in 0..self.turns.len() {
            if self.running >= self.total_limit {
                return None;
            }
            let work = self.turns.pop_front()?;
            let begun = self.begin_one(work, &mut capacity);
            let queue = self.queues.get(&work);
            if queue.is_some_and(|queue| !queue.ready.is_empty()) {
                self.turns.push_back(work);
            }
            if let Some(due) = begun {
                return Some((work, due));
            }
        }
        None
    }

    fn begin_one(&mut self, work: Work, capacity: &mut impl FnMut(Lane) -> Room) -> Option<Due<T>> {
        let queue = self.queues.get_mut(&work)?;
        let of_provider = provider(work).and_then(|at| self.of_provider.get_mut(at));
        let limit = match work {
            Work::Look => self.total_limit,
            Work::Refresh(lane) => match capacity(lane) {
                Room::For(limit) => limit,
                Room::After(_) => 0,
            },
        };
        let is_full = of_provider
            .as_ref()
            .is_some_and(|running| **running >= self.provider_limit);
        if queue.running >= limit || is_full {
            return None;
        }
        let due = queue.ready.pop_front()?;
        queue.running += 1;
        self.running += 1;
        if let Some(running) = of_provider {
            *running += 1;
        }
        Some(due)
    }

    /// Counts work that has ended.
    pub(super) fn end(&mut self, work: Work) {
        self.running = self.running.saturating_sub(1);
        if let Some(running) = provider(work).and_then(|at| self.of_provider.get_mut(at)) {
            *running = running.saturating_sub(1);
        }
        if let Some(queue) = self.queues.get_mut(&work) {
            queue.running = queue.running.saturating_sub(1);
            if queue.running == 0 && queue.ready.is_empty() {
                self.queues.remove(&work);
            }
        }
    }

    pub(super) fn running(&self) -> u32 {
        self.running
    }

    /// How many sessions wait for their turn.
    pub(super) fn waiting(&self) -> usize {
        self.queues.values().map(|queue| queue.ready.len()).sum()
    }

    /// The servers whose sessions wait.
    pub(super) fn lanes(&self) -> impl Iterator<Item = Lane> {
        self.turns.iter().filter_map(|work| match work {
            Work::Look => None,
            Work::Refresh(lane) => Some(*lane),
        })
    }

    /// Forgets sessions that have left, whose memory the queue would keep.
    pub(super) fn purge(&mut self) {
        self.later.retain(|due| due.member.strong_count() > 0);
    }
}

#[cfg(test)]
impl<T> Schedule<T> {
    /// As in a forked child.
    pub(super) fn fork(&mut self) {
        self.process += 1;
    }
}

fn provider(work: Work) -> Option<usize> {
    match work {
        Work::Look => None,
        Work::Refresh(lane) => Some(lane.provider as usize),
    }
}
