//! Filters between values and texts: JSON, YAML, base64, digests.

use super::texts::kept;
use super::{Call, yaml_out};
use crate::template::python;
use crate::template::value::{Eval, Key, Map, V};
use base64::Engine as _;
use md5::{Digest as _, Md5};
use sha1::Sha1;

pub(super) const NAMES: &[&str] = &[
    "to_json",
    "to_nice_json",
    "tojson",
    "from_json",
    "to_yaml",
    "to_nice_yaml",
    "from_yaml",
    "from_yaml_all",
    "b64encode",
    "b64decode",
    "hash",
    "md5",
    "sha1",
    "checksum",
    "to_uuid",
    "password_hash",
    "vault",
    "unvault",
    "strftime",
    "to_datetime",
    "from_ini",
    "to_ini",
];

pub(super) fn call(c: &Call<'_, '_, '_>) -> Eval<Option<V>> {
    Ok(Some(match c.name {
        "to_json" | "tojson" => {
            let [indent, sort, ascii, _v, _u, _s] = c.take([
                "indent",
                "sort_keys",
                "ensure_ascii",
                "vault_to_text",
                "preprocess_unsafe",
                "separators",
            ])?;
            let form = Json {
                indent: indentation(c, indent, None)?,
                sort: c.truth_or(sort, c.name == "tojson")?,
                ascii: c.truth_or(ascii, true)?,
            };
            kept(form.write(c, c.input)?)
        }
        "to_nice_json" => {
            let [indent, sort, ascii] = c.take(["indent", "sort_keys", "ensure_ascii"])?;
            let form = Json {
                indent: indentation(c, indent, Some(4))?,
                sort: c.truth_or(sort, true)?,
                ascii: c.truth_or(ascii, true)?,
            };
            kept(form.write(c, c.input)?)
        }
        "from_json" => {
            let value: serde_json::Value = serde_json::from_str(c.string()?)
                .map_err(|e| c.wrong(format!("this is no JSON: line {}, column {}", e.line(), e.column())))?;
            from_json(value)
        }
        "to_yaml" | "to_nice_yaml" => {
            let nice = c.name == "to_nice_yaml";
            let [indent, flow, sort, width, start, _unicode] = c.take([
                "indent",
                "default_flow_style",
                "sort_keys",
                "width",
                "explicit_start",
                "allow_unicode",
            ])?;
            let flow = match flow {
                None if nice => Some(false),
                None | Some(V::None) => None,
                Some(flow) => Some(flow.truth()?),
            };
            let settings = yaml_out::Settings {
                indent: usize::try_from(c.int_or(indent, if nice { 4 } else { 2 })?.clamp(0, 20)).unwrap_or(2),
                width: usize::try_from(c.int_or(width, 80)?.max(0)).unwrap_or(80),
                flow,
                sort: c.truth_or(sort, true)?,
                explicit_start: c.truth_or(start, false)?,
            };
            kept(yaml_out::dump(&c.renderer.written_out(c.input)?, &settings)?)
        }
        "from_yaml" => match c.input {
            V::Str(text) => {
                let value = crate::yaml::parse_value(&text.text, "<from_yaml>")
                    .map_err(|e| c.wrong(format!("this is no YAML: {}", e.message)))?;
                V::from_raw(&value)
            }
            other => other.clone(),
        },
        "from_yaml_all" => {
            let mut out = Vec::new();
            let text = c.text()?;
            for part in documents(&text) {
                let value = crate::yaml::parse_value(&part, "<from_yaml_all>")
                    .map_err(|e| c.wrong(format!("this is no YAML: {}", e.message)))?;
                out.push(V::from_raw(&value));
            }
            V::list(out)
        }
        "b64encode" => V::str(base64::engine::general_purpose::STANDARD.encode(c.text()?)),
        "b64decode" => {
            let text: String = c.text()?.chars().filter(|x| !x.is_ascii_whitespace()).collect();
            let bytes = base64::engine::general_purpose::STANDARD
                .decode(text)
                .map_err(|_| c.wrong("this is no base64"))?;
            V::str(String::from_utf8(bytes).map_err(|_| c.wrong("the decoded bytes are no UTF-8 text"))?)
        }
        "hash" => {
            let [kind] = c.take(["hashtype"])?;
            let kind = c.text_or(kind, "sha1")?;
            V::str(digest(&kind, c.text()?.as_bytes()).ok_or_else(|| {
                c.wrong(format!(
                    "the kind '{kind}' is unknown; md5, sha1, sha224, sha256, sha384 and sha512 are known"
                ))
            })?)
        }
        "md5" => V::str(hex(&Md5::digest(c.text()?))),
        "sha1" | "checksum" => V::str(hex(&Sha1::digest(c.text()?))),
        "to_uuid" => {
            let [namespace] = c.take(["namespace"])?;
            let namespace = c.text_or(namespace, "361E6D51-FAEC-444A-9079-341386DA8E2E")?;
            V::str(uuid5(c, &namespace, &c.text()?)?)
        }
        "password_hash" | "vault" => {
            return Err(crate::template::ValueError::unsupported(format!(
                "the filter '{}' (its result would differ in every run)",
                c.name
            ))
            .with_help("give the finished value instead, encrypted with ansible-vault"));
        }
        "unvault" | "strftime" | "to_datetime" | "from_ini" | "to_ini" => {
            return Err(crate::template::ValueError::unsupported(format!(
                "the filter '{}'",
                c.name
            )));
        }
        _ => return Ok(None),
    }))
}

fn documents(text: &str) -> Vec<String> {
    let mut out = vec![String::new()];
    for line in text.lines() {
        if line == "---" || line.starts_with("--- ") {
            out.push(line[3..].to_owned());
            out.last_mut().iter_mut().for_each(|part| part.push('\n'));
        } else if line != "..."
            && let Some(last) = out.last_mut()
        {
            last.push_str(line);
            last.push('\n');
        }
    }
    if out.first().is_some_and(|part| part.trim().is_empty()) && out.len() > 1 {
        out.remove(0);
    }
    out
}

fn indentation(c: &Call<'_, '_, '_>, value: Option<V>, default: Option<usize>) -> Eval<Option<String>> {
    match value {
        None => Ok(default.map(|n| " ".repeat(n))),
        Some(V::None) => Ok(None),
        Some(V::Str(text)) => Ok(Some(text.text.to_string())),
        Some(other) => {
            let width = usize::try_from(c.int_or(Some(other), 0)?.clamp(0, 100)).unwrap_or(0);
            Ok(Some(" ".repeat(width)))
        }
    }
}

/// How Python's `json.dumps` is asked to write.
struct Json {
    indent: Option<String>,
    sort: bool,
    ascii: bool,
}

impl Json {
    fn write(&self, c: &Call<'_, '_, '_>, value: &V) -> Eval<String> {
        let mut out = String::new();
        self.value(c, value, 0, &mut out)?;
        Ok(out)
    }

    fn value(&self, c: &Call<'_, '_, '_>, value: &V, depth: usize, out: &mut String) -> Eval<()> {
        match value.check()? {
            V::None => out.push_str("null"),
            V::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
            V::Int(i) => out.push_str(&i.to_string()),
            V::Float(x) if x.is_nan() => out.push_str("NaN"),
            V::Float(x) if x.is_infinite() => out.push_str(if *x > 0.0 { "Infinity" } else { "-Infinity" }),
            V::Float(x) => out.push_str(&python::float(*x)),
            V::Str(text) => self.quoted(&text.text, out),
            V::List(items) | V::Tuple(items) => {
                out.push('[');
                for (i, item) in items.iter().enumerate() {
                    self.separate(i, depth + 1, out);
                    self.value(c, item, depth + 1, out)?;
                }
                self.close(items.is_empty(), depth, out);
                out.push(']');
            }
            V::HostVars | V::Host(_) => {
                let all = c.renderer.written_out(value)?;
                self.value(c, &all, depth, out)?;
            }
            other => {
                let map = c
                    .renderer
                    .mapping(other)
                    .map_err(|_| c.wrong(format!("a {} cannot be written as JSON", other.type_name())))?;
                let mut entries: Vec<(&Key, &V)> = map.iter().collect();
                if self.sort {
                    entries.sort_by(|a, b| a.0.text.cmp(&b.0.text));
                }
                out.push('{');
                for (i, (key, item)) in entries.into_iter().enumerate() {
                    self.separate(i, depth + 1, out);
                    let name = match (key.is_str, &*key.text) {
                        (false, "True") => "true",
                        (false, "False") => "false",
                        (false, "None") => "null",
                        (_, text) => text,
                    };
                    self.quoted(name, out);
                    out.push_str(": ");
                    self.value(c, item, depth + 1, out)?;
                }
                self.close(map.is_empty(), depth, out);
                out.push('}');
            }
        }
        Ok(())
    }

    fn separate(&self, index: usize, depth: usize, out: &mut String) {
        match &self.indent {
            Some(indent) => {
                out.push_str(if index > 0 { ",\n" } else { "\n" });
                out.push_str(&indent.repeat(depth));
            }
            None if index > 0 => out.push_str(", "),
            None => {}
        }
    }

    fn close(&self, empty: bool, depth: usize, out: &mut String) {
        if let (Some(indent), false) = (&self.indent, empty) {
            out.push('\n');
            out.push_str(&indent.repeat(depth));
        }
    }

    fn quoted(&self, text: &str, out: &mut String) {
        out.push('"');
        for x in text.chars() {
            match x {
                '"' => out.push_str("\\\""),
                '\\' => out.push_str("\\\\"),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                '\x08' => out.push_str("\\b"),
                '\x0c' => out.push_str("\\f"),
                x if x < ' ' || (self.ascii && !x.is_ascii()) => {
                    for unit in x.encode_utf16(&mut [0; 2]) {
                        out.push_str(&format!("\\u{unit:04x}"));
                    }
                }
                x => out.push(x),
            }
        }
        out.push('"');
    }
}

fn from_json(value: serde_json::Value) -> V {
    match value {
        serde_json::Value::Null => V::None,
        serde_json::Value::Bool(b) => V::Bool(b),
        serde_json::Value::Number(n) => match (n.as_i64(), n.as_u64()) {
            (Some(i), _) => V::Int(i.into()),
            (_, Some(u)) => V::Int(u.into()),
            _ => V::Float(n.as_f64().unwrap_or(f64::NAN)),
        },
        serde_json::Value::String(text) => V::str(text),
        serde_json::Value::Array(items) => V::list(items.into_iter().map(from_json).collect()),
        serde_json::Value::Object(map) => V::map(
            map.into_iter()
                .map(|(k, v)| (Key::str(k), from_json(v)))
                .collect::<Map>(),
        ),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn digest(kind: &str, data: &[u8]) -> Option<String> {
    Some(match kind {
        "md5" => hex(&Md5::digest(data)),
        "sha1" => hex(&Sha1::digest(data)),
        "sha224" => hex(&sha2::Sha224::digest(data)),
        "sha256" => hex(&sha2::Sha256::digest(data)),
        "sha384" => hex(&sha2::Sha384::digest(data)),
        "sha512" => hex(&sha2::Sha512::digest(data)),
        _ => return None,
    })
}

/// A name-based UUID, version 5 (RFC 9562).
fn uuid5(c: &Call<'_, '_, '_>, namespace: &str, name: &str) -> Eval<String> {
    let digits: String = namespace.chars().filter(char::is_ascii_hexdigit).collect();
    let space: Vec<u8> = (0..digits.len() / 2)
        .filter_map(|i| u8::from_str_radix(&digits[i * 2..i * 2 + 2], 16).ok())
        .collect();
    if space.len() != 16 {
        return Err(c.wrong("the namespace is no UUID"));
    }
    let mut hash = Sha1::new();
    hash.update(&space);
    hash.update(name.as_bytes());
    let mut bytes = hash.finalize()[..16].to_vec();
    bytes[6] = (bytes[6] & 0x0f) | 0x50;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let text = hex(&bytes);
    Ok([&text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..]].join("-"))
}
