//! The look at a host before anything is decided: its lock, and the answers to all that its plays will ask.

use super::{End, HostRun};
use crate::memory::Memory;

impl HostRun<'_> {
    /// Comes to the host as its first task would, and asks all questions of this and its later plays. Returns what is
    /// known then; `None` when no task of this play is carried out on the host itself.
    pub async fn look(mut self) -> Result<Option<Memory>, End> {
        let all = self.positions();
        let Some(first) = all.iter().position(|p| self.place(p.task).0 == self.name) else {
            return Ok(None);
        };
        let position = all[first];
        let (id, place) = (self.id(position), self.place(position.task));
        self.learn(position, &id, &place, &all[first..]).await?;
        Ok(Some(self.memory))
    }
}
