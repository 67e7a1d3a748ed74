//! Tasks that run once for a batch of hosts: the first host to come to one does it, the others take its outcome.

use super::{End, HostRun, Position, plain_failure};
use crate::memory::Place;
use mosip_prov_events::{TaskId, TaskStatus};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use tokio::sync::watch;

/// Which of a batch's tasks that run once are being done, and by whom.
#[derive(Default)]
pub(crate) struct OnceBoard(Mutex<HashMap<Key, Claimed>>);

/// Role, task, and whether it is a handler: task lists may differ from host to host.
type Key = (String, String, bool);

struct Claimed {
    by: Arc<str>,
    done: watch::Receiver<Option<bool>>,
}

enum Claim {
    Mine(watch::Sender<Option<bool>>),
    Others(Arc<str>, watch::Receiver<Option<bool>>),
}

impl OnceBoard {
    fn claim(&self, key: Key, host: &Arc<str>) -> Claim {
        let mut board = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(claimed) = board.get(&key) {
            return Claim::Others(claimed.by.clone(), claimed.done.clone());
        }
        let (sender, done) = watch::channel(None);
        board.insert(key, Claimed { by: host.clone(), done });
        Claim::Mine(sender)
    }
}

impl<'r> HostRun<'r> {
    /// Does the task if nobody has, or waits for whoever does.
    pub(super) async fn once(
        &mut self,
        position: Position<'r>,
        id: TaskId,
        place: Place,
        ahead: &[Position<'r>],
        began: Instant,
    ) -> Result<(), End> {
        let board = self.board;
        match board.claim((id.role.clone(), id.task.clone(), id.handler), &self.name) {
            Claim::Mine(sender) => {
                let result = Box::pin(self.solo(position, id, place, ahead, began)).await;
                if result != Err(End::Cancelled) {
                    // Nobody may be waiting; then there is nobody to tell.
                    let _ = sender.send(Some(result.is_ok()));
                }
                result
            }
            Claim::Others(by, mut done) => {
                let waiting = Instant::now();
                let outcome = match done.wait_for(Option::is_some).await {
                    Ok(value) => *value,
                    Err(_) => None,
                };
                self.spent.pause += waiting.elapsed();
                if self.shared.cancel.is_cancelled() && outcome != Some(true) {
                    return Err(End::Cancelled);
                }
                if outcome == Some(true) {
                    self.note(&id, TaskStatus::Ok);
                    self.finished(
                        &id,
                        TaskStatus::Ok,
                        format!("done once, on {by}"),
                        None,
                        None,
                        false,
                        began,
                    );
                    return Ok(());
                }
                let failure = plain_failure(format!("the task is done once, and it failed on {by}"));
                self.failed(&id, position.task, failure, began)
            }
        }
    }
}
