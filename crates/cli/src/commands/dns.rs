//! `dns records`: the records to create, without connecting.

use super::stopped;
use crate::args::{DnsArgs, DnsCommand, RecordsFormat};
use crate::diagnostics;
use crate::exit::Exit;
use crate::output::{Look, complain, say, say_json};
use crate::session::{self, Stop};
use mosip_prov::names::{self, Record};
use mosip_prov_report::paint::{Paint, Tone};
use mosip_prov_report::text::{pad, width};

/// `dns`.
pub fn dns(args: &DnsArgs, look: &Look) -> Exit {
    let DnsCommand::Records { inventory, format } = &args.command;
    let read = session::load_inventory(inventory).and_then(|(provisioner, mut warnings)| {
        let (site, more) = names::site(&provisioner).map_err(|errors| {
            let mut all = warnings.clone();
            all.extend(errors.diagnostics().iter().cloned());
            Stop::Inputs(all)
        })?;
        warnings.extend(more);
        Ok((site, warnings))
    });
    let (site, warnings) = match read {
        Ok(read) => read,
        Err(stop) => return stopped(&stop, look),
    };
    diagnostics::report(&warnings, look);
    let records = names::records(&site);
    match format {
        RecordsFormat::Zone => say(names::zone(&site.domain, &records).trim_end()),
        RecordsFormat::Table => say(&table(&records, Paint::new(look.color_out))),
        RecordsFormat::Json => match serde_json::to_string_pretty(&records) {
            Ok(json) => say_json(&json),
            Err(error) => {
                complain(&format!("error: the records cannot be written as JSON: {error}"));
                Exit::Failed
            }
        },
    }
}

fn table(records: &[Record], paint: Paint) -> String {
    let rows: Vec<[String; 4]> = records
        .iter()
        .map(|record| {
            let purpose = match record.optional {
                true => format!("optional: {}", record.purpose),
                false => record.purpose.clone(),
            };
            [
                record.kind.to_string(),
                record.name.clone(),
                record.value.clone(),
                purpose,
            ]
        })
        .collect();
    let headings = ["type", "name", "value", "purpose"];
    let columns = [0, 1, 2].map(|i| {
        rows.iter()
            .map(|r| width(&r[i]))
            .max()
            .unwrap_or(0)
            .max(width(headings[i]))
    });
    let line = |cells: [&str; 4]| {
        let [a, b, c, d] = cells;
        format!(
            "{}  {}  {}  {d}",
            pad(a, columns[0]),
            pad(b, columns[1]),
            pad(c, columns[2])
        )
    };
    let mut lines = vec![paint.tone(Tone::Faint, &line(headings))];
    lines.extend(rows.iter().map(|row| line([&row[0], &row[1], &row[2], &row[3]])));
    lines.join("\n")
}
