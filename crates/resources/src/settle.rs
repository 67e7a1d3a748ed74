//! Check mode: what rests on an answer that an earlier, not carried out change may alter is not known.

use mosip_prov_engine::{Answers, DecideError, Decision, Question};

/// The decision as it may be told: in check mode "nothing to do" and "impossible" become [`Decision::Unknown`] when
/// an earlier task that was not carried out may change one of `questions`. A change stays a change.
pub(crate) fn settle(
    answers: &Answers,
    questions: &[Question],
    decided: Result<Decision, DecideError>,
) -> Result<Decision, DecideError> {
    let pending = || questions.iter().find_map(|question| answers.pending_for(question));
    match decided {
        Ok(Decision::Nothing { reason }) => Ok(match pending() {
            Some(task) => Decision::unknown(format!("{reason}, but \"{task}\" comes first and may change that")),
            None => Decision::Nothing { reason },
        }),
        Err(DecideError::Impossible { what, help }) => match pending() {
            Some(task) => Ok(Decision::unknown(format!(
                "\"{task}\" comes first and may change this: {what}"
            ))),
            None => Err(DecideError::Impossible { what, help }),
        },
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::file::FileAsk;
    use mosip_prov_engine::{Ask, Touch};

    #[test]
    fn a_pending_change_makes_nothing_and_impossible_unknown_but_leaves_errors() {
        let question = FileAsk::new("/a/b").question();
        let questions = [question];
        let calm = Answers::new();
        let pending = Answers::new().with_pending("make /a", vec![Touch::Path("/a".into())]);
        let elsewhere = Answers::new().with_pending("make /c", vec![Touch::Path("/c".into())]);

        let decided = settle(&calm, &questions, Ok(Decision::nothing("it is there")));
        assert!(matches!(decided, Ok(Decision::Nothing { .. })));
        let decided = settle(&elsewhere, &questions, Ok(Decision::nothing("it is there")));
        assert!(matches!(decided, Ok(Decision::Nothing { .. })));
        let Ok(Decision::Unknown { reason }) = settle(&pending, &questions, Ok(Decision::nothing("it is there")))
        else {
            panic!("not unknown");
        };
        assert_eq!(reason, "it is there, but \"make /a\" comes first and may change that");
        let impossible = || Err(DecideError::impossible("no folder /a"));
        assert!(settle(&calm, &questions, impossible()).is_err());
        assert!(matches!(
            settle(&pending, &questions, impossible()),
            Ok(Decision::Unknown { .. })
        ));
    }
}
