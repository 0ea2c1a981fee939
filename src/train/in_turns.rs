//! Runs on one thread, turn by turn: for a device that stays on its thread.

use super::board::{Board, Lane, TURN};
use super::sweep::Ended;
use crate::Error;
use crate::notebook::{Live, Progress, StopButton};
use std::time::Instant;

/// Trains all, always the one that is furthest behind.
pub(super) fn train(lanes: Vec<(String, Box<dyn Lane + '_>)>) -> Result<Ended, Error> {
    let stop = StopButton::watch();
    let mut board = Board::new(lanes);
    let (mut progress, mut live) = (Progress::new(board.done(), board.total()), Live::new());
    while let Some((index, mut lane)) = board.next() {
        let begun = Instant::now();
        let leaves = || stop.pressed() || begun.elapsed() > TURN;
        let result = lane.advance(&leaves);
        board.put_back(index, lane, result, stop.pressed());
        progress.at(board.done(), || board.says());
        // A picture that cannot be drawn is no reason to end the training.
        let _ = live.show(|| board.figure());
    }
    progress.finish(board.done(), &board.says());
    let _ = live.finish(&board.figure());
    board.ended()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // A test may.
mod tests {
    use super::super::board::View;
    use super::super::{Series, Stopped};
    use super::*;
    use std::time::Duration;

    /// Takes one step in each turn.
    struct Counter {
        step: usize,
        steps: usize,
    }

    impl Lane for Counter {
        fn advance(&mut self, _: &dyn Fn() -> bool) -> Result<Stopped, Error> {
            self.step += 1;
            Ok(match self.step == self.steps {
                true => Stopped::AtEnd { steps: self.step },
                false => Stopped::ByUser { steps: self.step },
            })
        }

        fn view(&self) -> View {
            View {
                step: self.step,
                steps: self.steps,
                says: String::new(),
                losses: Series::default(),
                metric: None,
                time: Duration::ZERO,
            }
        }
    }

    #[test]
    fn each_run_gets_its_turns_until_it_ends() {
        let lanes = [2, 5].map(|steps| -> (String, Box<dyn Lane>) {
            (
                format!("{steps} steps"),
                Box::new(Counter { step: 0, steps }),
            )
        });
        let ended = train(lanes.into()).unwrap();
        let stopped: Vec<Stopped> = ended.iter().map(|run| run.stopped).collect();
        assert_eq!(
            stopped,
            [Stopped::AtEnd { steps: 2 }, Stopped::AtEnd { steps: 5 }]
        );
    }
}
