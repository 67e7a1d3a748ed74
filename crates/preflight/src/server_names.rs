//! Which names a certificate is good for, by the rules of RFC 9525.

/// Whether `pattern`, a DNS name of a certificate, covers `name`: the same name, or a wildcard as the whole leftmost
/// label, which stands for exactly one label. Letters are compared without case; a dot at the end does not count.
pub fn covers(pattern: &str, name: &str) -> bool {
    let pattern = pattern.trim_end_matches('.');
    let name = name.trim_end_matches('.');
    if let Some(parent) = pattern.strip_prefix("*.") {
        // `*.org` and the like are refused by clients as too wide.
        return parent.contains('.')
            && name
                .split_once('.')
                .is_some_and(|(label, rest)| !label.is_empty() && label != "*" && rest.eq_ignore_ascii_case(parent));
    }
    !pattern.contains('*') && pattern.eq_ignore_ascii_case(name)
}

/// The wildcard that would cover `name`: `*.example.org` for `api.example.org`. `None` for a name of fewer than three
/// labels, which only itself covers.
pub fn wildcard_for(name: &str) -> Option<String> {
    let (_, parent) = name.trim_end_matches('.').split_once('.')?;
    parent.contains('.').then(|| format!("*.{parent}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_wildcards_cover_as_clients_see_it() {
        for (pattern, name, wanted) in [
            ("api.example.org", "api.example.org", true),
            ("API.example.org", "api.Example.org.", true),
            ("*.example.org", "api.example.org", true),
            ("*.example.org", "example.org", false),
            ("*.example.org", "a.b.example.org", false),
            ("*.example.org", ".example.org", false),
            ("a*.example.org", "api.example.org", false),
            ("api.*.org", "api.example.org", false),
            ("*.org", "example.org", false),
            ("*", "example", false),
            ("example.org", "api.example.org", false),
        ] {
            assert_eq!(covers(pattern, name), wanted, "{pattern} for {name}");
        }
    }

    #[test]
    fn a_wildcard_is_named_where_one_helps() {
        assert_eq!(wildcard_for("api.mosip.net").as_deref(), Some("*.mosip.net"));
        assert_eq!(wildcard_for("mosip.net"), None);
        assert_eq!(wildcard_for("localhost"), None);
    }
}
