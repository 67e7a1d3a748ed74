//! Check mode: what rests on an answer that an earlier, not carried out change may alter is not known.

use mosip_prov_resources::{Answers, DecideError, Decision, Question};

/// The decision as it may be told: in check mode "nothing to do", "not yet" and "impossible" become
/// [`Decision::Unknown`] when an earlier task that was not carried out may change one of `questions`.
///
/// # Errors
/// Those of `decided`, unless an earlier task may undo them.
pub fn settle(
    answers: &Answers,
    questions: &[Question],
    decided: Result<Decision, DecideError>,
) -> Result<Decision, DecideError> {
    let pending = questions.iter().find_map(|question| answers.pending_for(question));
    let Some(task) = pending else { return decided };
    match decided {
        Ok(Decision::Nothing { reason } | Decision::NotYet { reason } | Decision::Failing { reason, .. }) => Ok(
            Decision::unknown(format!("{reason}, but \"{task}\" comes first and may change that")),
        ),
        Err(DecideError::Impossible { what, .. }) => Ok(Decision::unknown(format!(
            "\"{task}\" comes first and may change this: {what}"
        ))),
        other => other,
    }
}
