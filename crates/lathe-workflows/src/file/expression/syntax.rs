//! The grammar of expressions.
//!
//! `or: and ('||' and)*`, `and: unary ('&&' unary)*`, `unary: '!' unary | compare`, `compare: atom (sign atom)?`,
//! `atom: '(' or ')' | literal | function '(' ')' | path`.

use winnow::ascii::multispace0;
use winnow::combinator::{alt, cut_err, delimited, opt, preceded, repeat, terminated};
use winnow::error::{ContextError, ErrMode, StrContext};
use winnow::prelude::*;
use winnow::stream::{LocatingSlice, Location as _};
use winnow::token::{any, one_of, take_while};

use super::super::diagnostic::{did_you_mean, did_you_mean_or_known};
use super::super::value::Value;
use super::{Comparison, Function, JobFact, Reference, SyntaxError, Term, TermKind};

/// Nobody writes longer ones.
const MAX_BYTES: usize = 4_096;
/// How many parentheses, signs of negation and joints one may have: each is a level of recursion.
const MAX_JOINTS: usize = 100;

type Input<'s> = LocatingSlice<&'s str>;
type Parsed<T> = winnow::Result<T, ErrMode<ContextError>>;

/// Parses an expression.
pub(super) fn parse(source: &str) -> Result<Term, SyntaxError> {
    let error = |message: String, offset| SyntaxError { message, offset };
    if source.len() > MAX_BYTES {
        return Err(error(format!("the expression has {} bytes; at most {MAX_BYTES} are read", source.len()), 0));
    }
    if source.trim().is_empty() {
        return Err(error("the expression is empty".to_owned(), 0));
    }
    if source.matches(['(', '!', '&', '|']).count() > MAX_JOINTS {
        return Err(error(format!("the expression has more than {MAX_JOINTS} of `(`, `!`, `&&`, `||`"), 0));
    }
    let mut input = LocatingSlice::new(source);
    let term = match terminated(or, multispace0).parse_next(&mut input) {
        Ok(term) => term,
        Err(failure) => {
            let said = failure.into_inner().ok().and_then(|context| {
                context.context().find_map(|one| match one {
                    StrContext::Label(label) => Some((*label).to_owned()),
                    _ => None,
                })
            });
            return Err(error(said.unwrap_or_else(|| expected(*input)), input.current_token_start()));
        }
    };
    if !input.is_empty() {
        return Err(error(expected_end(*input), input.current_token_start()));
    }
    resolve(term)
}

fn expected(rest: &str) -> String {
    match rest.trim_start().chars().next() {
        None => "the expression ends too early; a value is missing".to_owned(),
        Some(found) => format!("a value should stand here, not `{found}`"),
    }
}

fn expected_end(rest: &str) -> String {
    let rest = rest.trim_start();
    if rest.starts_with('=') {
        return "`=` compares nothing; write `==`".to_owned();
    }
    let word: String = rest.chars().take_while(|c| !c.is_whitespace()).take(20).collect();
    format!("`{word}` has no place here; write `&&`, `||` or a comparison between values")
}

/// A term as it is written: paths are not understood yet.
struct Written {
    offset: usize,
    kind: WrittenKind,
}

enum WrittenKind {
    Literal(Value),
    Path(Vec<(usize, String)>),
    Call(String),
    Not(Box<Written>),
    Compare(Box<Written>, Comparison, Box<Written>),
    And(Box<Written>, Box<Written>),
    Or(Box<Written>, Box<Written>),
}

fn or(input: &mut Input<'_>) -> Parsed<Written> {
    joined(input, "||", and, WrittenKind::Or)
}

fn and(input: &mut Input<'_>) -> Parsed<Written> {
    joined(input, "&&", unary, WrittenKind::And)
}

fn joined(
    input: &mut Input<'_>,
    sign: &'static str,
    mut part: fn(&mut Input<'_>) -> Parsed<Written>,
    join: fn(Box<Written>, Box<Written>) -> WrittenKind,
) -> Parsed<Written> {
    let first = part.parse_next(input)?;
    let rest: Vec<Written> = repeat(0.., preceded((multispace0, sign), cut_err(part))).parse_next(input)?;
    Ok(rest
        .into_iter()
        .fold(first, |left, right| Written { offset: left.offset, kind: join(Box::new(left), Box::new(right)) }))
}

fn unary(input: &mut Input<'_>) -> Parsed<Written> {
    multispace0.parse_next(input)?;
    let offset = input.current_token_start();
    if opt('!').parse_next(input)?.is_some() {
        let inner = cut_err(unary).parse_next(input)?;
        return Ok(Written { offset, kind: WrittenKind::Not(Box::new(inner)) });
    }
    compare(input)
}

fn compare(input: &mut Input<'_>) -> Parsed<Written> {
    let left = atom(input)?;
    let sign = opt(preceded(multispace0, comparison)).parse_next(input)?;
    let Some(sign) = sign else { return Ok(left) };
    let right = cut_err(atom).parse_next(input)?;
    Ok(Written { offset: left.offset, kind: WrittenKind::Compare(Box::new(left), sign, Box::new(right)) })
}

fn comparison(input: &mut Input<'_>) -> Parsed<Comparison> {
    alt((
        "==".value(Comparison::Equal),
        "!=".value(Comparison::NotEqual),
        "<=".value(Comparison::LessOrEqual),
        ">=".value(Comparison::GreaterOrEqual),
        "<".value(Comparison::Less),
        ">".value(Comparison::Greater),
    ))
    .parse_next(input)
}

fn atom(input: &mut Input<'_>) -> Parsed<Written> {
    multispace0.parse_next(input)?;
    let offset = input.current_token_start();
    if opt('(').parse_next(input)?.is_some() {
        let inner = cut_err(or).parse_next(input)?;
        let end = cut_err(preceded(multispace0, ')')).context(StrContext::Label("a `)` is missing here"));
        end.void().parse_next(input)?;
        return Ok(Written { offset, kind: inner.kind });
    }
    let kind = alt((text.map(|text| WrittenKind::Literal(Value::Text(text))), number.map(WrittenKind::Literal), name))
        .parse_next(input)?;
    Ok(Written { offset, kind })
}

/// Text in single or double quotes; a doubled quote stands for one.
fn text(input: &mut Input<'_>) -> Parsed<String> {
    let quote = one_of(['\'', '"']).parse_next(input)?;
    let mut text = String::new();
    loop {
        let next = cut_err(any).context(StrContext::Label("the quote of a text is not closed")).parse_next(input)?;
        if next != quote {
            text.push(next);
        } else if opt(quote).parse_next(input)?.is_some() {
            text.push(quote);
        } else {
            return Ok(text);
        }
    }
}

fn number(input: &mut Input<'_>) -> Parsed<Value> {
    let digits = || take_while(1.., |c: char| c.is_ascii_digit());
    let exponent = (one_of(['e', 'E']), opt(one_of(['+', '-'])), digits());
    (opt('-'), digits(), opt(('.', digits())), opt(exponent))
        .take()
        .verify_map(|word: &str| match Value::from_word(word) {
            value @ (Value::Int(_) | Value::Float(_)) => Some(value),
            _ => None,
        })
        .parse_next(input)
}

/// `true`, `false`, `null`, a call, or a path.
fn name(input: &mut Input<'_>) -> Parsed<WrittenKind> {
    let first = segment(input)?;
    match first.1.as_str() {
        "true" => return Ok(WrittenKind::Literal(Value::Bool(true))),
        "false" => return Ok(WrittenKind::Literal(Value::Bool(false))),
        "null" => return Ok(WrittenKind::Literal(Value::Null)),
        _ => {}
    }
    if opt((multispace0, '(')).parse_next(input)?.is_some() {
        let end = cut_err(preceded(multispace0, ')')).context(StrContext::Label("functions take nothing; write `()`"));
        end.void().parse_next(input)?;
        return Ok(WrittenKind::Call(first.1));
    }
    let dotted = preceded('.', cut_err(segment).context(StrContext::Label("a name must follow the dot")));
    let indexed = delimited('[', (preceded(multispace0, offset), terminated(text, multispace0)), ']');
    let rest: Vec<(usize, String)> = repeat(0.., alt((dotted, indexed))).parse_next(input)?;
    Ok(WrittenKind::Path([first].into_iter().chain(rest).collect()))
}

fn offset(input: &mut Input<'_>) -> Parsed<usize> {
    Ok(input.current_token_start())
}

fn segment(input: &mut Input<'_>) -> Parsed<(usize, String)> {
    let start = one_of(|c: char| c.is_ascii_alphabetic() || c == '_');
    let rest = take_while(0.., |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    (offset, (start, rest).take()).map(|(at, word): (usize, &str)| (at, word.to_owned())).parse_next(input)
}

fn resolve(written: Written) -> Result<Term, SyntaxError> {
    let inner = |written: Box<Written>| resolve(*written).map(Box::new);
    let kind = match written.kind {
        WrittenKind::Literal(value) => TermKind::Literal(value),
        WrittenKind::Path(path) => TermKind::Reference(reference(&path)?),
        WrittenKind::Call(name) => TermKind::Call(function(&name, written.offset)?),
        WrittenKind::Not(term) => TermKind::Not(inner(term)?),
        WrittenKind::Compare(left, sign, right) => TermKind::Compare(inner(left)?, sign, inner(right)?),
        WrittenKind::And(left, right) => TermKind::And(inner(left)?, inner(right)?),
        WrittenKind::Or(left, right) => TermKind::Or(inner(left)?, inner(right)?),
    };
    Ok(Term { offset: written.offset, kind })
}

fn function(name: &str, offset: usize) -> Result<Function, SyntaxError> {
    match name {
        "success" => Ok(Function::Success),
        "failure" => Ok(Function::Failure),
        "always" => Ok(Function::Always),
        _ => {
            let hint = did_you_mean(name, ["success", "failure", "always"]);
            Err(SyntaxError {
                message: format!("there is no function `{name}`{hint}; there are success(), failure() and always()"),
                offset,
            })
        }
    }
}

fn reference(path: &[(usize, String)]) -> Result<Reference, SyntaxError> {
    let words: Vec<&str> = path.iter().map(|(_, word)| word.as_str()).collect();
    let place = |index: usize| path.get(index).or(path.last()).map_or(0, |(offset, _)| *offset);
    let error = |message: String, index: usize| Err(SyntaxError { message, offset: place(index) });
    match words.as_slice() {
        ["params", name] => Ok(Reference::Param((*name).to_owned())),
        ["matrix", name] => Ok(Reference::Matrix((*name).to_owned())),
        ["trigger", name] => Ok(Reference::Trigger((*name).to_owned())),
        ["secrets", name] => Ok(Reference::Secret((*name).to_owned())),
        ["sweep", ..] => error("sweeps come later; use `matrix`".to_owned(), 0),
        ["jobs", job, "best", rest @ ..] => job_fact(job, true, rest, &error),
        ["jobs", job, rest @ ..] => job_fact(job, false, rest, &error),
        [root @ ("params" | "matrix" | "trigger" | "secrets" | "jobs"), rest @ ..] => {
            let what = if rest.is_empty() { "needs a name" } else { "has no parts below its names" };
            error(format!("`{root}` {what}; write `{root}.<name>`"), rest.len().min(2))
        }
        _ => {
            let root = words.first().copied().unwrap_or_default();
            let hint = did_you_mean(root, ["params", "matrix", "trigger", "jobs", "secrets"]);
            error(format!("there is no `{root}`{hint}; expressions know params, matrix, trigger, jobs and secrets"), 0)
        }
    }
}

fn job_fact(
    job: &str,
    is_best: bool,
    rest: &[&str],
    error: &dyn Fn(String, usize) -> Result<Reference, SyntaxError>,
) -> Result<Reference, SyntaxError> {
    let fact = match rest {
        ["run_id"] => JobFact::RunId,
        ["values", name] => JobFact::Value((*name).to_owned()),
        ["outputs", name] => JobFact::Output((*name).to_owned()),
        ["artifacts", name] => JobFact::Artifact((*name).to_owned()),
        ["status"] if !is_best => JobFact::Status,
        ["started"] if !is_best => JobFact::Started,
        _ => {
            let known: &[&str] = match is_best {
                true => &["run_id", "values", "outputs", "artifacts"],
                false => &["status", "started", "run_id", "values", "outputs", "artifacts", "best"],
            };
            let whole = if is_best { format!("jobs.{job}.best") } else { format!("jobs.{job}") };
            let index = if is_best { 3 } else { 2 };
            let [first, ..] = rest else {
                return error(format!("`{whole}` is no value; add one of {}", known.join(", ")), index);
            };
            if known.contains(first) {
                return error(
                    format!(
                        "`{whole}.{}` is no value; write for instance `{whole}.values.<name>` or `{whole}.run_id`",
                        rest.join(".")
                    ),
                    index,
                );
            }
            let hint = did_you_mean_or_known(first, known);
            return error(format!("`{whole}` has no `{first}`{hint}"), index);
        }
    };
    Ok(Reference::Job { job: job.to_owned(), is_best, fact })
}
