//! Runs on cores of their own.

use super::board::{Board, Lane, TURN};
use super::sweep::Ended;
use crate::Error;
use crate::notebook::{Live, Progress, StopButton};
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};

/// How often the main thread looks whether something can be shown.
const LOOK: Duration = Duration::from_millis(50);

/// Trains all, as many at once as there are cores.
pub(super) fn train(lanes: Vec<(String, Box<dyn Lane + '_>)>) -> Result<Ended, Error> {
    let stop = StopButton::watch();
    let pools = pools(lanes.len())?;
    let board = Board::new(lanes);
    let (mut progress, mut live) = (Progress::new(board.done(), board.total()), Live::new());
    let board = Mutex::new(board);
    let panicked = thread::scope(|scope| {
        let (board, stop) = (&board, &stop);
        let workers = pools
            .iter()
            .map(|pool| scope.spawn(move || work(board, stop, pool)));
        let workers: Vec<_> = workers.collect();
        while !workers.iter().all(ScopedJoinHandle::is_finished) {
            thread::sleep(LOOK);
            // By itself, so that the lock is free again for the words.
            let done = lock(board).done();
            progress.at(done, || lock(board).says());
            // A picture that cannot be drawn is no reason to end the training.
            let _ = live.show(|| lock(board).figure());
        }
        let ends = workers.into_iter().map(ScopedJoinHandle::join);
        ends.filter_map(Result::err).next()
    });
    if let Some(panic) = panicked {
        resume_unwind(panic);
    }
    let board = board.into_inner().unwrap_or_else(PoisonError::into_inner);
    progress.finish(board.done(), &board.says());
    let _ = live.finish(&board.figure());
    board.ended()
}

/// The cores, divided among as many runs as can have one.
fn pools(runs: usize) -> Result<Vec<ThreadPool>, Error> {
    let cores = rayon::current_num_threads();
    let workers = cores.min(runs).max(1);
    let pool = |i: usize| {
        let threads = (i + 1) * cores / workers - i * cores / workers;
        let pool = ThreadPoolBuilder::new().num_threads(threads).build();
        pool.map_err(|error| Error::Threads(error.to_string()))
    };
    (0..workers).map(pool).collect()
}

/// One thread's work: turn by turn, the run that is furthest behind.
fn work(board: &Mutex<Board<'_>>, stop: &StopButton, pool: &ThreadPool) {
    loop {
        // A statement of its own, so that the lock is not held during the turn.
        let next = lock(board).next();
        let Some((index, mut lane)) = next else {
            return;
        };
        let begun = Instant::now();
        let leaves = || stop.pressed() || begun.elapsed() > TURN;
        let advance = || pool.install(|| lane.advance(&leaves));
        match catch_unwind(AssertUnwindSafe(advance)) {
            Ok(result) => lock(board).put_back(index, lane, result, stop.pressed()),
            Err(panic) => {
                // The others end after this turn, and can go on as this one can.
                lock(board).fail(Error::Threads("a run panicked".into()));
                resume_unwind(panic);
            }
        }
    }
}

fn lock<'a, 'b>(board: &'a Mutex<Board<'b>>) -> MutexGuard<'a, Board<'b>> {
    board.lock().unwrap_or_else(PoisonError::into_inner)
}
