//! YAML as a tree with positions: bounded, without tags, with aliases counted as what they stand for.
//!
//! The library gives events; this builds the tree, because every message must name line and column.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

use super::diagnostic::{Diagnostic, Position};
use super::reading::MAX_MISTAKES;
use super::source::Source;

/// The most nodes of one file; an alias counts as all it stands for.
const MAX_NODES: usize = 100_000;
/// The deepest nesting.
const MAX_DEPTH: usize = 32;

/// A node of the tree.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub content: Content,
    pub at: Position,
    /// How many characters of its first line it takes.
    pub length: usize,
    /// Its bytes in the source.
    pub bytes: Range<usize>,
    /// How many nodes it is, itself included.
    size: usize,
}

/// What a node is.
#[derive(Debug, Clone)]
pub(crate) enum Content {
    Scalar { text: String, is_plain: bool },
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

/// A key of a mapping.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    pub name: String,
    pub at: Position,
    pub length: usize,
}

impl Node {
    /// Whether nothing is written here.
    pub fn is_null(&self) -> bool {
        matches!(&self.content, Content::Scalar { text, is_plain: true } if matches!(text.as_str(), "" | "~" | "null"))
    }

    /// What the node is, in words.
    pub fn kind(&self) -> &'static str {
        match &self.content {
            _ if self.is_null() => "nothing",
            Content::Scalar { .. } => "a value",
            Content::List(_) => "a list",
            Content::Map(_) => "a mapping",
        }
    }
}

/// Reads a file of one document.
pub(crate) fn parse(source: &Source<'_>) -> Result<Node, Vec<Diagnostic>> {
    let mut builder =
        Builder { source, open: Vec::new(), anchors: BTreeMap::new(), nodes: 0, root: None, mistakes: Vec::new() };
    let mut documents = 0;
    for event in Parser::new_from_str(source.text) {
        let step = match event {
            Ok((Event::DocumentStart(_), span)) => {
                documents += 1;
                if documents > 1 {
                    Err(Diagnostic::new("yaml", "a pipeline file is one document; remove `---`", position(&span)))
                } else {
                    Ok(())
                }
            }
            Ok((event, span)) => builder.take(event, &span),
            Err(error) => {
                let at = Position { line: error.marker().line().max(1), column: error.marker().col() + 1 };
                Err(Diagnostic::new("yaml", format!("this is not valid YAML: {}", error.info()), at))
            }
        };
        if let Err(mistake) = step {
            builder.mistakes.push(mistake);
            break;
        }
    }
    match builder.root {
        _ if !builder.mistakes.is_empty() => Err(builder.mistakes),
        Some(root) => Ok(root),
        None => Err(vec![Diagnostic::new(
            "yaml",
            "the file is empty; a pipeline has at least `name` and `jobs`",
            Position { line: 1, column: 1 },
        )]),
    }
}

fn position(span: &Span) -> Position {
    Position { line: span.start.line(), column: span.start.col() + 1 }
}

/// A list or mapping that has begun.
struct Open {
    node: Node,
    anchor: usize,
    /// The key whose value comes next.
    key: Option<Key>,
    /// The lines of the keys so far.
    lines: BTreeMap<String, usize>,
}

struct Builder<'s> {
    source: &'s Source<'s>,
    open: Vec<Open>,
    anchors: BTreeMap<usize, Node>,
    nodes: usize,
    root: Option<Node>,
    mistakes: Vec<Diagnostic>,
}

impl Builder<'_> {
    fn take(&mut self, event: Event<'_>, span: &Span) -> Result<(), Diagnostic> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                refuse_tag(tag.is_some(), span)?;
                let content = Content::Scalar { text: Cow::into_owned(text), is_plain: style == ScalarStyle::Plain };
                let node = self.node(content, span)?;
                self.close(node, anchor)
            }
            Event::SequenceStart(anchor, tag) => {
                refuse_tag(tag.is_some(), span)?;
                self.begin(Content::List(Vec::new()), anchor, span)
            }
            Event::MappingStart(anchor, tag) => {
                refuse_tag(tag.is_some(), span)?;
                self.begin(Content::Map(Vec::new()), anchor, span)
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(Open { node, anchor, .. }) => self.close(node, anchor),
                None => Ok(()),
            },
            Event::Alias(anchor) => {
                let Some(node) = self.anchors.get(&anchor) else {
                    return Err(Diagnostic::new("yaml", "this alias stands inside of what it names", position(span)));
                };
                let node = node.clone();
                self.count(node.size, span)?;
                self.close(node, 0)
            }
            _ => Ok(()),
        }
    }

    fn count(&mut self, nodes: usize, span: &Span) -> Result<(), Diagnostic> {
        self.nodes += nodes;
        if self.nodes > MAX_NODES {
            let message = format!("the file has more than {MAX_NODES} values, counting aliases as what they stand for");
            return Err(Diagnostic::new("too_large", message, position(span)));
        }
        Ok(())
    }

    fn node(&mut self, content: Content, span: &Span) -> Result<Node, Diagnostic> {
        self.count(1, span)?;
        let bytes = self.source.byte(&span.start)..self.source.byte(&span.end);
        let length = self.source.first_line(&bytes).trim_end().chars().count();
        Ok(Node { content, at: position(span), length: length.max(1), bytes, size: 1 })
    }

    fn begin(&mut self, content: Content, anchor: usize, span: &Span) -> Result<(), Diagnostic> {
        if self.open.len() >= MAX_DEPTH {
            return Err(Diagnostic::new("too_deep", format!("values nest deeper than {MAX_DEPTH}"), position(span)));
        }
        let node = self.node(content, span)?;
        self.open.push(Open { node, anchor, key: None, lines: BTreeMap::new() });
        Ok(())
    }

    fn close(&mut self, node: Node, anchor: usize) -> Result<(), Diagnostic> {
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        let Some(parent) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        parent.node.size += node.size;
        match (&mut parent.node.content, parent.key.take()) {
            (Content::List(items), _) => items.push(node),
            (Content::Map(entries), Some(key)) => entries.push((key, node)),
            (Content::Map(_), None) => {
                let Node { content: Content::Scalar { text, .. }, at, length, .. } = node else {
                    return Err(Diagnostic::new("yaml", "a key must be a word, not a list or mapping", node.at));
                };
                let earlier = parent.lines.insert(text.clone(), at.line);
                if let Some(earlier) = earlier.filter(|_| self.mistakes.len() < MAX_MISTAKES) {
                    let message = format!("`{text}` is given twice, first in line {earlier}");
                    self.mistakes.push(Diagnostic::new("duplicate", message, at).over(length));
                }
                parent.key = Some(Key { name: text, at, length });
            }
            (Content::Scalar { .. }, _) => {}
        }
        Ok(())
    }
}

fn refuse_tag(has_tag: bool, span: &Span) -> Result<(), Diagnostic> {
    if has_tag {
        return Err(Diagnostic::new(
            "yaml",
            "tags (`!…`) have no meaning in a pipeline file; remove it",
            position(span),
        ));
    }
    Ok(())
}
