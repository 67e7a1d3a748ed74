//! The doors of [`crate::fuzzing`] into the exchange.

use tokio::io::{AsyncReadExt as _, DuplexStream};
use tokio::sync::mpsc;

use super::{Exchange, Limits, Mark, Start};
use crate::error::ErrorKind;
use crate::fuzzing::{Heard, NONCE, Way, words};
use crate::host::{BecomeUser, Response};
use crate::process::Process;
use crate::target::SudoSettings;

impl Exchange {
    fn held(&self) -> usize {
        self.stdout.len() + self.stderr.len() + self.folder.len()
    }
}

fn shown(outcome: &Result<Response, ErrorKind>) -> String {
    match outcome {
        Ok(response) => format!("{} {:?} {:?}", response.status, response.stdout, response.stderr),
        Err(error) => words(error),
    }
}

async fn begin(exchange: &mut Exchange, way: Way) -> Result<(), ErrorKind> {
    let user = BecomeUser::new("root");
    let sudo = SudoSettings {
        password: (way == Way::Sudo).then(|| "password".to_owned().into()),
        ..SudoSettings::default()
    };
    let start = Start {
        shell: "/bin/sh",
        user: (way == Way::Sudo).then_some(&user),
        sudo: &sudo,
        leftover: "",
        mark: &Mark::default(),
        backlog: usize::MAX,
    };
    exchange.begin(&start, bytes::Bytes::new()).await
}

pub(crate) async fn answers((process, sent): (Process, DuplexStream), way: Way, most: usize, limit: usize) -> Heard {
    let mut exchange = Exchange::over(process, NONCE.into());
    let mut outcomes = Vec::new();
    match begin(&mut exchange, way).await {
        Err(error) => outcomes.push(words(&error)),
        Ok(()) => {
            outcomes.push(format!("ready {} {}", exchange.pid, exchange.folder));
            let limits = Limits {
                time: std::time::Duration::from_secs(60),
                output: limit,
            };
            for _ in 0..most {
                let outcome = exchange.answer(limits).await;
                outcomes.push(shown(&outcome));
                if !matches!(outcome, Ok(_) | Err(ErrorKind::OutputTooLarge { .. })) {
                    break;
                }
            }
        }
    }
    heard(exchange, outcomes, sent).await
}

pub(crate) async fn watched((process, sent): (Process, DuplexStream)) -> Heard {
    let mut exchange = Exchange::over(process, NONCE.into());
    if let Err(error) = begin(&mut exchange, Way::Login).await {
        return heard(exchange, vec![words(&error)], sent).await;
    }
    let (lines, mut taken) = mpsc::channel::<crate::host::OutputLine>(16);
    let all = async {
        let mut all = Vec::new();
        while let Some(line) = taken.recv().await {
            all.push(format!("{:?} {}", line.stream, line.line));
        }
        all
    };
    let watch = async {
        let outcome = exchange.watch(&lines).await;
        drop(lines);
        outcome
    };
    let (outcome, all) = tokio::join!(watch, all);
    let mut outcomes = vec![shown(&outcome)];
    outcomes.extend(all);
    heard(exchange, outcomes, sent).await
}

async fn heard(exchange: Exchange, outcomes: Vec<String>, mut sent: DuplexStream) -> Heard {
    let held = exchange.held();
    drop(exchange);
    let mut bytes = Vec::new();
    let _ = sent.read_to_end(&mut bytes).await;
    Heard {
        outcomes,
        held,
        sent: bytes,
    }
}
