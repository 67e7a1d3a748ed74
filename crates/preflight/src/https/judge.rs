//! What an answer through a front means.

use super::AREA;
use super::certificate::{self, Roots};
use super::client::{Closed, Probe, Seen, Stream, StreamSeen};
use mosip_prov_events::{Finding, Level};

/// What is to be behind a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Awaited {
    /// The cluster alone: 404, since nothing is deployed in it.
    Nothing,
    /// What Helm brings, which leads its clients on: a redirect.
    Redirect,
    /// What Helm brings, which may answer its front page in any way.
    Anything,
}

/// What follows from `seen`, `now` in seconds since 1970.
pub fn judge(probe: &Probe, seen: &Seen, awaited: Awaited, roots: &Roots, now: u64) -> Vec<Finding> {
    let subject = format!("https://{}", probe.name);
    let place = match &probe.host {
        Some(host) => format!("{host} port {}", probe.port),
        None => format!("port {}", probe.port),
    };
    let failure = |check: &str, message: String, remedy: &str| {
        vec![Finding::failure(AREA, check, subject.as_str(), message, remedy)]
    };
    let (certificates, last) = match seen {
        Seen::NoAddress(why) => {
            return failure(
                "no_address",
                format!("there is no address to go to: {why}"),
                "create its DNS record (mosip-prov dns records), or leave --resolve-dns out to go to the front's own address",
            );
        }
        Seen::Refused => {
            return failure(
                "refused",
                format!("nothing listens at {place}"),
                "see nginx on the front (systemctl status nginx), or deploy the front again",
            );
        }
        Seen::NoConnection => {
            return failure(
                "timeout",
                format!("no connection to {place}"),
                "see that the front runs, that no firewall is between, and that this machine is in its network or VPN",
            );
        }
        Seen::NoWay(why) => {
            return failure(
                "unreachable",
                format!("no way to {place}: {why}"),
                "see the routes and the VPN of this machine",
            );
        }
        Seen::NoHandshake => {
            return failure(
                "tls_timeout",
                format!("{place} takes the connection, and then says nothing"),
                "see the MTU on the way (mosip-prov preflight network), and the load of the front",
            );
        }
        Seen::Alert(alert) => {
            return failure(
                "tls_alert",
                format!("{place} refuses to speak TLS with us: {alert}"),
                "see its ssl_protocols (TLS 1.3 is spoken here) and its certificate: nginx -T on the front",
            );
        }
        Seen::NoTls => {
            return failure(
                "no_tls",
                format!("what answers at {place} does not speak TLS"),
                "see what listens on that port of the front: ss -ltnp",
            );
        }
        Seen::ClosedEarly => {
            return failure(
                "tls_closed",
                format!("{place} closes the connection before TLS begins"),
                "see the error log of nginx on the front, and what stands between",
            );
        }
        Seen::Closed(certificates, closed) => (certificates, after_handshake(&subject, *closed)),
        Seen::Answer {
            certificates,
            status,
            location,
        } => (certificates, of_status(&subject, *status, location.as_deref(), awaited)),
    };
    let mut found = certificate::judge(certificates, &probe.name, roots, now);
    found.push(last);
    found
}

/// Whether waiting cannot change what was found: somebody must do something first. A certificate that does not hold yet
/// comes into its time by itself.
pub fn is_final(finding: &Finding) -> bool {
    finding.level == Level::Failure
        && finding.area == AREA
        && matches!(
            finding.check.as_str(),
            "no_tls"
                | "certificate_expired"
                | "certificate_issuer_expired"
                | "certificate_name"
                | "certificate_chain"
                | "certificate_incomplete"
                | "certificate_unreadable"
                | "certificate_self_signed"
                | "certificate_private"
        )
}

fn after_handshake(subject: &str, closed: Closed) -> Finding {
    match closed {
        // nginx's 444, which the front's configuration has for those.
        Closed::AtOnce => Finding::warning(
            AREA,
            "not_from_here",
            subject,
            "the front closes the connection: it serves this name to its own networks only, and this machine is in none",
            "verify from within the VPN, or add the network of this machine to nginx_internal_allowed_ranges",
        ),
        Closed::Silent => Finding::failure(
            AREA,
            "no_answer",
            subject,
            "the front takes the request, and does not answer in time",
            "what is behind it hangs: see the pods of the gateway, and the error log of nginx on the front",
        ),
        Closed::NoHttp => Finding::failure(
            AREA,
            "no_http",
            subject,
            "what answers does not speak HTTP",
            "see what listens on that port of the front: ss -ltnp",
        ),
    }
}

fn of_status(subject: &str, status: u16, location: Option<&str>, awaited: Awaited) -> Finding {
    let ok = |message: String| Finding::ok(AREA, "answer", subject, message);
    let warning = |check: &str, message: String, remedy: &str| Finding::warning(AREA, check, subject, message, remedy);
    let failure = |check: &str, message: String, remedy: &str| Finding::failure(AREA, check, subject, message, remedy);
    let leads = location.map(|to| format!(" to {to}")).unwrap_or_default();
    match (status, awaited) {
        (404, Awaited::Nothing) => ok("answers 404, as it should before Helm".into()),
        (301 | 302 | 303 | 307 | 308, Awaited::Nothing) => warning(
            "helm_already",
            format!("answers {status}{leads}, as it does after Helm"),
            "verify with --stage helm",
        ),
        (301 | 302 | 303 | 307 | 308, _) => ok(format!("answers {status}{leads}")),
        (404, Awaited::Redirect) => failure(
            "not_deployed",
            "answers 404: nothing in the cluster serves this name".into(),
            "see that the Helm stage has ended well, and that its host name is this one: kubectl get ingress -A, kubectl get virtualservice -A",
        ),
        (502 | 503, Awaited::Nothing) => warning(
            "nothing_behind",
            format!("the front answers {status}: nothing serves the node port yet"),
            "right before Helm if no ingress controller is deployed with the cluster; else see that the nodes' ports are open to the front",
        ),
        (502, _) => failure(
            "bad_gateway",
            "the front answers 502: the nodes refuse it, or hang up".into(),
            "see that the gateway's pods run and have the node port that nginx forwards to (nginx_*_nodeport): kubectl get service -A",
        ),
        (503, _) => failure(
            "unavailable",
            "answers 503: what serves this name has no pod that is ready".into(),
            "see the pods behind it: kubectl get endpoints -A",
        ),
        (504, _) => failure(
            "gateway_timeout",
            "the front answers 504: the nodes do not answer it in time".into(),
            "see that a firewall lets the front reach the nodes' ports, and that the nodes run",
        ),
        (500.., _) => failure(
            "server_error",
            format!("answers {status}: what serves this name fails"),
            "see the output of its pods",
        ),
        (400, _) => failure(
            "bad_request",
            "answers 400: the front does not take the request for HTTPS".into(),
            "see that the port is one with ssl in nginx's configuration",
        ),
        (_, Awaited::Anything) => ok(format!("answers {status}")),
        (_, Awaited::Redirect) => warning(
            "no_redirect",
            format!("answers {status}, where a redirect is usual"),
            "open it in a browser, and see that it is what should be there",
        ),
        (_, Awaited::Nothing) => warning(
            "unexpected_status",
            format!("answers {status}, where 404 is usual before Helm"),
            "open it in a browser; if Helm has been there, verify with --stage helm",
        ),
    }
}

/// What follows from connecting to a stream port. `deployed`: what is behind it should be there.
pub fn judge_stream(stream: &Stream, seen: &StreamSeen, deployed: bool) -> Finding {
    let subject = format!("{} {}:{}", stream.name, stream.host, stream.port);
    let failure =
        |check: &str, message: String, remedy: &str| Finding::failure(AREA, check, subject.as_str(), message, remedy);
    match seen {
        StreamSeen::Open => Finding::ok(AREA, "stream", subject, "takes connections"),
        StreamSeen::ClosedAtOnce if !deployed => {
            Finding::ok(AREA, "stream", subject, "takes connections; nothing is behind it yet")
        }
        StreamSeen::ClosedAtOnce => Finding::warning(
            AREA,
            "stream_closed",
            subject,
            "takes connections, and closes them at once",
            "nothing is behind it in the cluster, or this machine is in none of nginx_internal_allowed_ranges",
        ),
        StreamSeen::Refused => failure(
            "stream_refused",
            "nothing listens there".into(),
            "see nginx on the front (systemctl status nginx), or deploy the front again",
        ),
        StreamSeen::Unreachable(why) => failure(
            "stream_unreachable",
            format!("it cannot be reached: {why}"),
            "see that the front runs, that no firewall is between, and that this machine is in its network or VPN",
        ),
    }
}
