//! The events themselves, one JSON object a line (`--events`). The format is that of `mosip-prov-events`.

use crate::file::PrivateFile;
use crate::{RenderError, Renderer};
use mosip_prov_events::Event;
use mosip_prov_events::text::safe_json;
use std::io;
use std::path::{Path, PathBuf};

/// Writes each event to a file as it happens, one write a line: whoever follows the file never sees half a line.
pub struct JsonLines {
    path: PathBuf,
    file: PrivateFile,
}

impl JsonLines {
    /// Creates or empties `path`, mode 0600.
    pub fn create(path: &Path) -> Result<Self, RenderError> {
        Ok(Self {
            path: path.to_owned(),
            file: PrivateFile::create(path)?,
        })
    }
}

impl Renderer for JsonLines {
    fn event(&mut self, event: &Event) -> Result<(), RenderError> {
        let mut line = serde_json::to_string(event).map_err(|error| RenderError::File {
            path: self.path.clone(),
            source: io::Error::other(error),
        })?;
        line.push('\n');
        self.file.write(&safe_json(&line))
    }

    fn finish(&mut self) -> Result<(), RenderError> {
        Ok(())
    }
}
