//! The one gate for mutation.
//!
//! Every call that may change a target needs a [`Permit`], and only an open [`Gate`] gives one. A run in check mode holds a
//! closed gate, so that no author of a task can forget to honour it.

use std::marker::PhantomData;

/// Whether this run may change anything. Made once per run.
#[derive(Debug)]
pub struct Gate {
    open: bool,
}

impl Gate {
    /// A gate that lets changes through: a normal run.
    pub fn open() -> Self {
        Self { open: true }
    }

    /// A gate that lets nothing through: check mode and planning.
    pub fn closed() -> Self {
        Self { open: false }
    }

    /// Whether [`Gate::permit`] succeeds.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Leave to change something, for as long as the gate is borrowed.
    ///
    /// # Errors
    /// [`GateClosed`] in check mode.
    pub fn permit(&self) -> Result<Permit<'_>, GateClosed> {
        if self.open {
            Ok(Permit { gate: PhantomData })
        } else {
            Err(GateClosed)
        }
    }
}

/// Proof that the gate was open. Only [`Gate::permit`] makes one.
#[derive(Debug, Clone, Copy)]
pub struct Permit<'a> {
    gate: PhantomData<&'a Gate>,
}

/// A change was asked for while the gate is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this run only checks: it may not change anything")]
pub struct GateClosed;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_gate_never_gives_a_permit() {
        assert_eq!(Gate::closed().permit().err(), Some(GateClosed));
        assert!(Gate::open().permit().is_ok());
    }
}
