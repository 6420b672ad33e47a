//! Expressions: what stands in `${{ … }}` and in `if`.
//!
//! `syntax` reads them, `check` finds their type before a run, `evaluate` finds their value in one. Nothing here panics.

mod evaluate;
mod syntax;

pub use evaluate::{Context, EvaluationError, JobFacts, JobStatus, RunFacts, should_run};

use super::diagnostic::Position;
use super::value::Value;

/// An expression of the file.
#[derive(Debug, Clone, PartialEq)]
pub struct Expression {
    /// As it is written, without `${{` and `}}`.
    pub source: String,
    /// Where it begins in the file.
    pub at: Position,
    pub(crate) term: Term,
}

/// Why a text is no expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyntaxError {
    /// What is wrong.
    pub message: String,
    /// The byte of the expression at which it is.
    pub offset: usize,
}

/// A part of an expression, and the byte at which it begins.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Term {
    pub offset: usize,
    pub kind: TermKind,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum TermKind {
    Literal(Value),
    Reference(Reference),
    Call(Function),
    Not(Box<Term>),
    Compare(Box<Term>, Comparison, Box<Term>),
    And(Box<Term>, Box<Term>),
    Or(Box<Term>, Box<Term>),
}

/// Something an expression reads.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reference {
    /// `params.<name>`
    Param(String),
    /// `matrix.<name>`
    Matrix(String),
    /// `trigger.<name>`
    Trigger(String),
    /// `secrets.<name>`
    Secret(String),
    /// `jobs.<job>.…`, or `jobs.<job>.best.…`
    Job {
        /// The job.
        job: String,
        /// Whether it is the best cell of the job's matrix that is meant.
        is_best: bool,
        /// What of it.
        fact: JobFact,
    },
}

/// What an expression reads of a job.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum JobFact {
    /// `status`: `succeeded`, `failed`, `skipped`, `canceled`.
    Status,
    /// `started`: whether it began.
    Started,
    /// `run_id`: its run.
    RunId,
    /// `values.<name>`: what it wrote to `$LATHE_VALUES`.
    Value(String),
    /// `outputs.<name>`: a declared output.
    Output(String),
    /// `artifacts.<path>`: an artifact of its run.
    Artifact(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Function {
    Success,
    Failure,
    Always,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        }
    }
}

impl Expression {
    /// Parses an expression that begins at a place of the file.
    ///
    /// # Errors
    /// What is wrong and at which byte.
    pub fn parse(source: &str, at: Position) -> Result<Self, SyntaxError> {
        let term = syntax::parse(source)?;
        Ok(Self { source: source.trim().to_owned(), at, term })
    }

    /// What it reads.
    pub fn references(&self) -> Vec<&Reference> {
        let mut found = Vec::new();
        self.term.visit(&mut |term| {
            if let TermKind::Reference(reference) = &term.kind {
                found.push(reference);
            }
        });
        found
    }

    /// Whether it says itself what happens after a failure, with `success()`, `failure()` or `always()`.
    pub fn mentions_status(&self) -> bool {
        let mut is_mentioned = false;
        self.term.visit(&mut |term| is_mentioned |= matches!(term.kind, TermKind::Call(_)));
        is_mentioned
    }
}

impl Term {
    fn visit<'t>(&'t self, see: &mut impl FnMut(&'t Term)) {
        see(self);
        match &self.kind {
            TermKind::Not(inner) => inner.visit(see),
            TermKind::Compare(left, _, right) | TermKind::And(left, right) | TermKind::Or(left, right) => {
                left.visit(see);
                right.visit(see);
            }
            TermKind::Literal(_) | TermKind::Reference(_) | TermKind::Call(_) => {}
        }
    }
}
