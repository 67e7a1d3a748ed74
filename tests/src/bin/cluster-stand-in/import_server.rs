//! Rancher's import URL: a manifest, or what an operator gets who made a mistake.

use std::io::BufReader;
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use crate::args::Args;
use crate::{Outcome, http};

/// `import-server [--listen ADDRESS:PORT]` answers by path: `/v3/import/good.yaml` with a manifest, `html.yaml` with a
/// page of Rancher's login, `other.yaml` with YAML that is no manifest, `broken.yaml` with what is no YAML, `moved.yaml`
/// with a redirect to the good one, `slow.yaml` with the manifest after 5 s; all others with 404. It says `ready` and
/// its address, and ends when its standard input does.
///
/// # Errors
/// The words are wrong, or the port is taken.
pub fn main(words: &[String]) -> Outcome {
    let args = Args::parse(words, &["listen"], &[])?;
    let listener = TcpListener::bind(args.get("listen").unwrap_or("127.0.0.1:0"))?;
    println!("ready {}", listener.local_addr()?);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || serve(stream));
        }
    });
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink())?;
    Ok(())
}

fn serve(stream: TcpStream) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    while let Some(request) = http::read_request(&mut reader)? {
        let name = request.path.rsplit('/').next().unwrap_or_default();
        if name == "slow.yaml" {
            std::thread::sleep(Duration::from_secs(5));
        }
        let (code, kind, body) = answer(name);
        let out = reader.get_mut();
        if code == 302 {
            use std::io::Write;
            let head = "HTTP/1.1 302 Found\r\nLocation: good.yaml\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            return out.write_all(head.as_bytes());
        }
        http::respond(out, code, kind, body.as_bytes(), false)?;
    }
    Ok(())
}

fn answer(name: &str) -> (u16, &'static str, &'static str) {
    match name {
        "good.yaml" | "slow.yaml" => (200, "text/yaml", MANIFEST),
        "html.yaml" => (
            200,
            "text/html",
            "<!DOCTYPE html><html><head><title>Rancher</title></head><body>Log in</body></html>\n",
        ),
        "other.yaml" => (200, "text/yaml", "a: 1\nb: [2, 3]\n"),
        "broken.yaml" => (200, "text/yaml", "a: [1\n\tb: {\n"),
        "moved.yaml" => (302, "text/plain", ""),
        _ => (
            404,
            "application/json",
            "{\"type\":\"error\",\"status\":\"404\",\"code\":\"NotFound\"}\n",
        ),
    }
}

/// The objects of Rancher's manifest; the agent's image is that of a stand-in.
const MANIFEST: &str = include_str!("rancher-manifest.yaml");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_is_yaml_with_the_agent_in_it() {
        let documents: Vec<_> = MANIFEST.split("---\n").filter(|text| !text.is_empty()).collect();
        let parsed: Vec<_> = documents
            .iter()
            .map(|text| crate::rke::yaml(text).expect("YAML"))
            .collect();
        let is_agent =
            |one: &&serde_json::Value| one["kind"] == "Deployment" && one["metadata"]["name"] == "cattle-cluster-agent";
        assert_eq!(parsed.iter().filter(is_agent).count(), 1);
        assert!(crate::rke::yaml(answer("broken.yaml").2).is_err());
        assert_eq!(answer("typo.yaml").0, 404);
    }
}
