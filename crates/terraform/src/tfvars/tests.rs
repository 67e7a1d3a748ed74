//! Files of values: what is read, what is written, and that nothing else changes.

use super::*;

fn read(text: &str) -> Tfvars {
    Tfvars::parse(Path::new("terraform.tfvars"), text).unwrap_or_else(|found| panic!("{text}: {found:?}"))
}

fn string(text: &str, name: &str) -> Option<String> {
    read(text).get(name).expect("it is set").string
}

const FILE: &str = "# MOSIP\r
installation_name = \"mosip\" # its name\r
kubeconfig_path=\"/home/ubuntu/.kube/config\"\r
/* several
   lines = 1 */
enable_kafka   =   true // yes\r
map = {
  a = \"}\" # } no end
  b = [1, \"${f(\"x}\")}\"]
}
text = <<-EOT
  kubeconfig_path = \"no\"
  EOT
last = \"ä\"";

#[test]
fn values_and_their_places() {
    let file = read(FILE);
    let names: Vec<&str> = file.names().collect();
    assert_eq!(
        names,
        [
            "installation_name",
            "kubeconfig_path",
            "enable_kafka",
            "map",
            "text",
            "last"
        ]
    );
    let found = file.get("kubeconfig_path").expect("set");
    assert_eq!(found.string.as_deref(), Some("/home/ubuntu/.kube/config"));
    assert_eq!(found.place.to_string(), "terraform.tfvars:3:17");
    assert_eq!(
        file.get("last").expect("set").place.to_string(),
        "terraform.tfvars:14:8"
    );
    assert!(file.get("map").expect("set").string.is_none());
    assert!(file.get("none").is_none());
    let strings: Vec<(&str, &str)> = file.strings().map(|(name, value, _)| (name, value)).collect();
    assert_eq!(
        strings,
        [
            ("installation_name", "mosip"),
            ("kubeconfig_path", "/home/ubuntu/.kube/config"),
            ("last", "ä")
        ]
    );
}

#[test]
fn one_value_changes_and_every_other_byte_stays() {
    let file = read(FILE);
    for (name, old) in [
        ("installation_name", "\"mosip\""),
        ("kubeconfig_path", "\"/home/ubuntu/.kube/config\""),
        ("enable_kafka", "true"),
        ("last", "\"ä\""),
    ] {
        let made = file.with(name, "new");
        let at = FILE.find(&format!("\n{name}")).expect("there");
        let (before, after) = FILE.split_at(at);
        assert_eq!(made.text(), format!("{before}{}", after.replacen(old, "\"new\"", 1)));
    }
    for name in ["map", "text"] {
        let made = file.with(name, "new");
        assert_eq!(made.get(name).expect("set").string.as_deref(), Some("new"));
        assert_eq!(made.names().count(), 6);
        assert_eq!(made.get("last").expect("set").string.as_deref(), Some("ä"));
    }
    let added = file.with("rancher_hostname", "rancher.example.org");
    assert_eq!(
        added.text(),
        format!("{FILE}\r\nrancher_hostname = \"rancher.example.org\"\r\n")
    );
    assert_eq!(read("").with("a", "b").text(), "a = \"b\"\n");
    assert_eq!(read("# x\n").with("a", "b").text(), "# x\na = \"b\"\n");
    assert_eq!(read("# x").with("a", "b").text(), "# x\na = \"b\"\n");
}

#[test]
fn whatever_is_written_is_read_back() {
    for value in [
        "",
        "a\"b",
        "a\\b",
        "${x} %{y}",
        "$${x}",
        "$$",
        "100%",
        "line\nend\t\r",
        "ä日",
        "{MOSIP_DOMAIN}",
        "\\u0041",
    ] {
        let made = read("a = 1\n").with("b", value);
        assert_eq!(
            made.get("b").expect("set").string.as_deref(),
            Some(value),
            "{}",
            made.text()
        );
        assert_eq!(made.with("b", "x").with("b", value).text(), made.text());
    }
}

#[test]
fn strings_as_hcl_reads_them() {
    for (text, value) in [
        (r#"a = "x""#, Some("x")),
        (r#"a = "\u00e4\n""#, Some("ä\n")),
        (r#"a = "$${x}""#, Some("${x}")),
        (r#"a = "${x}""#, None),
        (r#"a = "%{ if x }y%{ endif }""#, None),
        (r#"a = "x" /* c */ "#, Some("x")),
        (r#"a = "x" == "y""#, None),
        ("a = x", None),
        ("a = <<EOT\nx\nEOT\n", None),
    ] {
        assert_eq!(string(text, "a").as_deref(), value, "{text}");
    }
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    for (text, place, message) in [
        ("a = 1\nb c = 2\n", "2:3", "after the name b there must be a ="),
        ("a = \"x\n", "1:5", "the value of a has a quote that is not closed"),
        ("a = [1,\n", "1:5", "the value of a has a bracket that is not closed: ["),
        ("a = 1]\n", "1:6", "the value of a closes a bracket that is not open: ]"),
        ("a =\nb = 1\n", "1:4", "a has no value"),
        ("= 1\n", "1:1", "here the name of a variable is wanted"),
        (
            "a = <<EOT\nx\n",
            "1:5",
            "the value of a is a heredoc that is not closed by EOT",
        ),
        ("a = 1\n\na = 2\n", "3:1", "a is set twice"),
        ("a = 1 /* x\n", "1:7", "here a comment begins that does not end"),
        ("a = \"${\"x\n", "1:8", "the value of a has a quote that is not closed"),
    ] {
        let found = Tfvars::parse(Path::new("t"), text).expect_err(text);
        let first = found.iter().next().expect("one").clone();
        assert_eq!(first.message, message);
        assert_eq!(
            first.location.expect("a place").to_string(),
            format!("t:{place}"),
            "{text}"
        );
    }
}

#[test]
fn odd_text_is_no_reason_to_fall_over() {
    let parts = [
        "a", "=", "\"", "\\", "${", "}", "<<E", "\n", "E", "#", "/*", "*/", "[", "]", "ä", " ", "$", "%%{", "\u{feff}",
    ];
    // Every sequence of four of them.
    for n in 0..parts.len().pow(4) {
        let text: String = (0..4).map(|i| parts[n / parts.len().pow(i) % parts.len()]).collect();
        if let Ok(file) = Tfvars::parse(Path::new("t"), &text) {
            let made = file.with("b", "x");
            assert_eq!(
                made.get("b").and_then(|found| found.string).as_deref(),
                Some("x"),
                "{text:?}"
            );
        }
    }
}

#[test]
fn a_value_is_shown_with_its_own_line_whatever_else_ends_lines_elsewhere() {
    let found = read("a = \"one\u{2028}\"\nb = \"two\"\n").get("b").expect("set");
    assert_eq!(found.place.to_string(), "terraform.tfvars:2:5");
    assert_eq!(found.place.text.as_deref(), Some("b = \"two\""));
}
