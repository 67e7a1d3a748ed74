//! What each command does.

pub mod apply;
pub mod certificates;
pub mod deploy;
pub mod dns;
pub mod generated;
pub mod history;
pub mod init;
pub mod inventory;
pub mod listing;
pub mod preflight;
pub mod rancher;
pub mod run;
pub mod status;
pub mod terraform;
mod terraform_show;
pub mod verify;
pub mod wireguard;

use crate::diagnostics;
use crate::exit::Exit;
use crate::output::{Look, complain};
use crate::session::Stop;

/// Says why there is nothing to go on with.
fn stopped(stop: &Stop, look: &Look) -> Exit {
    match stop {
        Stop::Inputs(found) => {
            diagnostics::report(found, look);
            Exit::Inputs
        }
        Stop::Interrupted => {
            complain("interrupted; nothing was connected to");
            Exit::Interrupted
        }
    }
}
