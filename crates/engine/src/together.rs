//! Small changes that are carried out in one exchange.

use crate::apply::{Applier, Failed, kept_back, step_failure};
use crate::decision::Change;
use crate::render_files;
use crate::render_step::{self, ContentSource};
use crate::shell::{frame, split_frames, text_of};
use crate::step::Step;
use bytes::BytesMut;
use mosip_prov_transport::{Request, TransportError};
use std::collections::BTreeSet;
use std::time::Duration;

impl Applier<'_> {
    /// Carries out small changes in one exchange, stopping at the first that fails. The result has one entry for each
    /// change that was begun.
    pub async fn together(&self, changes: &[&Change]) -> Result<Vec<Result<(), Failed>>, TransportError> {
        let (mut results, unprepared) = self.try_together(changes, true).await?;
        if unprepared {
            // What is wrong with which file shows when each is made by itself.
            let (rest, _) = self.try_together(&changes[results.len()..], false).await?;
            results.extend(rest);
        }
        Ok(results)
    }

    /// As [`Self::together`]. With `prepare`, files that follow each other are made ready together before the first is put in
    /// place; true when that could not be done, and nothing was begun of what has no result.
    async fn try_together(
        &self,
        changes: &[&Change],
        prepare: bool,
    ) -> Result<(Vec<Result<(), Failed>>, bool), TransportError> {
        let mut script = String::new();
        let mut payload = BytesMut::new();
        let mut timeout = self.timeout;
        let mut room = render_files::TEXT;
        let mut groups = BTreeSet::new();
        let mut next = 0;
        while let Some(change) = changes.get(next) {
            // Where predecessors are kept, each is kept just before its file is replaced.
            let files = match prepare && self.keep_for.is_none() {
                true => render_files::first_files(&changes[next..]),
                false => Vec::new(),
            };
            if files.is_empty() {
                let (fragment, more) = self.fragment(change, &mut payload);
                timeout += more;
                script.push_str(&frame(&fragment));
                script.push_str("[ \"$s\" = 0 ] || exit 0\n");
                next += 1;
            } else {
                let rendered = render_files::write_together(&files, &mut room);
                script.push_str(&rendered.fragment);
                script.push_str(" || exit 0\n");
                payload.extend_from_slice(&rendered.payload);
                groups.insert(next);
                next += files.len();
            }
        }
        let request = Request {
            script,
            payload: payload.freeze(),
            timeout: Some(timeout),
            sensitive: changes.iter().any(|change| render_step::is_sensitive(change)),
        };
        let response = self.link.apply_once(&self.permit, request).await?;
        let output = text_of(&response.stdout);
        let mut frames = split_frames(&output).unwrap_or_default();
        let unprepared = frames
            .last()
            .is_some_and(|frame| frame.status == render_files::UNPREPARED)
            && groups.contains(&(frames.len() - 1));
        if unprepared {
            frames.pop();
        }
        let mut results: Vec<Result<(), Failed>> = frames
            .iter()
            .zip(changes)
            .map(|(frame, change)| match frame.status {
                0 => Ok(()),
                status => Err(Failed {
                    failure: change
                        .secretive()
                        .fold(step_failure(&change.summary, status, frame.text), |failure, shell| {
                            kept_back(failure, shell)
                        }),
                    // What came before the step that failed is done.
                    perhaps_done: change.steps.len() > 1,
                }),
            })
            .collect();
        let stopped = unprepared || results.iter().any(Result::is_err);
        if !stopped && results.len() < changes.len() {
            // The shell itself was ended: the change that was under way has no frame.
            let summary = &changes[results.len()].summary;
            let text = format!("{output}\n{}", response.stderr_text());
            results.push(Err(Failed {
                failure: step_failure(summary, response.status, &text),
                perhaps_done: true,
            }));
        }
        Ok((results, unprepared))
    }

    /// One change as a fragment of a script, with what it reads added to `payload`, and the time that it may take.
    fn fragment(&self, change: &Change, payload: &mut BytesMut) -> (String, Duration) {
        let mut fragment = String::new();
        let mut time = Duration::ZERO;
        for step in &change.steps {
            let rendered = match step {
                Step::Shell(shell) => {
                    time += shell.timeout.unwrap_or_default();
                    render_step::bounded_shell(shell)
                }
                Step::WriteFiles(write) => {
                    let sources: Vec<_> = write
                        .files
                        .iter()
                        .map(|f| ContentSource::Payload(f.content.bytes()))
                        .collect();
                    render_step::write_files(write, &sources, self.keep_for)
                }
                // `render_step::is_small` keeps reboots out of here.
                Step::Reboot { .. } => continue,
            };
            fragment.push_str(&rendered.fragment);
            fragment.push_str(" || exit\n");
            payload.extend_from_slice(&rendered.payload);
        }
        fragment.push(':');
        (fragment, time)
    }
}
