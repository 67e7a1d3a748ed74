//! The look at a host before anything is decided: its lock, and the answers to all that its plays will ask.

use super::{End, HostRun};
use crate::memory::Memory;

impl HostRun<'_> {
    /// Comes to the host as its first task would, and asks all questions that this play's tasks have there, each as the user that it
    /// runs as, and those of later plays along with them. Returns what is known then; `None` when no task of this play is carried
    /// out on the host itself.
    pub async fn look(mut self) -> Result<Option<Memory>, End> {
        let all = self.positions();
        let mut looked = false;
        for (at, position) in all.iter().enumerate() {
            let place = self.place(position.task);
            if place.0 == self.name {
                let id = self.id(*position);
                // Nothing is asked where nothing is unknown.
                self.learn(*position, &id, &place, &all[at..]).await?;
                looked = true;
            }
        }
        Ok(looked.then_some(self.memory))
    }
}
