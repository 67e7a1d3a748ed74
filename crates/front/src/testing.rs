//! nginx configurations read back into a tree, to test what a template makes without nginx.

/// Directives in the order written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Block {
    /// All of them.
    pub directives: Vec<Directive>,
}

/// One directive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directive {
    /// Its name: `listen`.
    pub name: String,
    /// Its parameters, quotes taken off.
    pub parameters: Vec<String>,
    /// What stands in its braces, when it has some.
    pub block: Option<Block>,
}

impl Directive {
    /// Its parameters joined by blanks.
    pub fn value(&self) -> String {
        self.parameters.join(" ")
    }
}

impl Block {
    /// All directives of this name.
    pub fn all(&self, name: &str) -> Vec<&Directive> {
        self.directives.iter().filter(|d| d.name == name).collect()
    }

    /// The values of all directives of this name.
    pub fn values(&self, name: &str) -> Vec<String> {
        self.all(name).into_iter().map(Directive::value).collect()
    }

    /// The value of the only directive of this name. Panics when there is none or another.
    #[track_caller]
    pub fn value(&self, name: &str) -> String {
        match self.all(name)[..] {
            [one] => one.value(),
            ref others => panic!("{} directives {name} in {self:#?}", others.len()),
        }
    }

    /// The blocks of all directives of this name.
    pub fn blocks(&self, name: &str) -> Vec<&Block> {
        self.all(name).into_iter().filter_map(|d| d.block.as_ref()).collect()
    }

    /// The only block of this name. Panics when there is none or another.
    #[track_caller]
    pub fn block(&self, name: &str) -> &Block {
        match self.blocks(name)[..] {
            [one] => one,
            ref others => panic!("{} blocks {name} in {self:#?}", others.len()),
        }
    }

    /// The block of `location PARAMETERS`, `upstream PARAMETERS` and the like. Panics when there is none.
    #[track_caller]
    pub fn named(&self, name: &str, parameters: &str) -> &Block {
        self.all(name)
            .into_iter()
            .find(|d| d.value() == parameters)
            .and_then(|d| d.block.as_ref())
            .unwrap_or_else(|| panic!("no block {name} {parameters} in {self:#?}"))
    }
}

/// Reads a configuration.
///
/// # Errors
/// What does not belong where it stands.
pub fn parse(text: &str) -> Result<Block, String> {
    let mut tokens = tokens(text).into_iter();
    block(&mut tokens, 0)
}

#[derive(Debug, PartialEq)]
enum Token {
    Word(String),
    End,
    Open,
    Close,
}

fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '#' => while chars.next().is_some_and(|c| c != '\n') {},
            ';' => tokens.push(Token::End),
            '{' => tokens.push(Token::Open),
            '}' => tokens.push(Token::Close),
            '"' | '\'' => {
                let mut word = String::new();
                while let Some(next) = chars.next().filter(|next| *next != c) {
                    word.push(next);
                }
                tokens.push(Token::Word(word));
            }
            c if c.is_whitespace() => {}
            c => {
                let mut word = String::from(c);
                while let Some(next) = chars.next_if(|c| !c.is_whitespace() && !matches!(c, ';' | '{' | '}')) {
                    word.push(next);
                }
                tokens.push(Token::Word(word));
            }
        }
    }
    tokens
}

fn block(tokens: &mut impl Iterator<Item = Token>, depth: usize) -> Result<Block, String> {
    let mut made = Block::default();
    let mut words: Vec<String> = Vec::new();
    loop {
        match tokens.next() {
            Some(Token::Word(word)) => words.push(word),
            Some(token @ (Token::End | Token::Open)) => {
                if words.is_empty() {
                    return Err("a directive without a name".into());
                }
                let mut parameters = std::mem::take(&mut words);
                let name = parameters.remove(0);
                let inner = match token {
                    Token::Open => Some(block(tokens, depth + 1)?),
                    _ => None,
                };
                made.directives.push(Directive {
                    name,
                    parameters,
                    block: inner,
                });
            }
            Some(Token::Close) if depth > 0 && words.is_empty() => return Ok(made),
            None if depth == 0 && words.is_empty() => return Ok(made),
            Some(Token::Close) => return Err(format!("a brace closes after {words:?}")),
            None => return Err(format!("the text ends after {words:?}, {depth} braces open")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_becomes_a_tree() {
        let conf =
            parse("user x; # not; this\nhttp { server { listen 1.2.3.4:80 ssl; add 'a b;c'; } }").expect("reads");
        assert_eq!(conf.value("user"), "x");
        let server = conf.block("http").block("server");
        assert_eq!(server.values("listen"), ["1.2.3.4:80 ssl"]);
        assert_eq!(server.all("add")[0].parameters, ["a b;c"]);
    }

    #[test]
    fn what_is_no_configuration_is_an_error() {
        for bad in ["a", "a {", "}", "a { b }", ";"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
