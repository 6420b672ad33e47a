//! The states of pipeline runs, jobs and attempts.

use lathe_core::{Error, Result};

macro_rules! states {
    ($(#[$doc:meta])* $name:ident, $noun:literal { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$variant_doc])* $variant,)* }

        impl $name {
            /// All states.
            pub const ALL: &[$name] = &[$($name::$variant),*];

            /// The state as it stands in JSON and SQL.
            pub fn as_str(self) -> &'static str {
                match self { $($name::$variant => $word,)* }
            }

            /// Parses a state.
            ///
            /// # Errors
            /// `InvalidArgument` for any other word.
            pub fn parse(text: &str) -> Result<Self> {
                match text {
                    $($word => Ok($name::$variant),)*
                    _ => {
                        let words: Vec<&str> = Self::ALL.iter().map(|state| state.as_str()).collect();
                        Err(Error::invalid(format!(
                            concat!("{:?} is no state of ", $noun, "; states are {}"), text, words.join(", ")
                        )))
                    }
                }
            }
        }
    };
}

states! {
    /// How far a pipeline run is.
    PipelineRunStatus, "a pipeline run" {
        /// Another run of its concurrency group goes first.
        Queued = "queued",
        /// Its jobs are at work.
        Running = "running",
        /// All jobs ended, and none failed for good.
        Succeeded = "succeeded",
        /// A job failed, and no later job was there for that case.
        Failed = "failed",
        /// Somebody, or a newer run of its group, ended it.
        Canceled = "canceled",
    }
}

impl PipelineRunStatus {
    /// Whether nothing can change it any more, except a retry.
    pub fn is_terminal(self) -> bool {
        !matches!(self, PipelineRunStatus::Queued | PipelineRunStatus::Running)
    }
}

states! {
    /// How far a job is.
    JobStatus, "a job" {
        /// Jobs before it have not ended.
        Waiting = "waiting",
        /// Ready; it waits for its time or for a free slot.
        Queued = "queued",
        /// An attempt is at work.
        Running = "running",
        /// People must decide.
        AwaitingApproval = "awaiting_approval",
        /// It did what it should.
        Succeeded = "succeeded",
        /// What an earlier job made stands for it.
        Cached = "cached",
        /// It failed, and is not tried again.
        Failed = "failed",
        /// Its condition did not hold, or a job before it did not succeed.
        Skipped = "skipped",
        /// Its run was canceled.
        Canceled = "canceled",
    }
}

impl JobStatus {
    /// Whether nothing can change it any more, except a retry.
    pub fn is_terminal(self) -> bool {
        matches!(
            self,
            JobStatus::Succeeded | JobStatus::Cached | JobStatus::Failed | JobStatus::Skipped | JobStatus::Canceled
        )
    }

    /// Whether what comes after it may use what it made.
    pub fn is_success(self) -> bool {
        matches!(self, JobStatus::Succeeded | JobStatus::Cached)
    }
}

states! {
    /// How far a try of a job is.
    AttemptStatus, "an attempt" {
        /// Somebody attends it.
        Running = "running",
        /// It did what it should.
        Succeeded = "succeeded",
        /// It ended otherwise.
        Failed = "failed",
        /// Nobody knows what became of it: it may be at work still, and nothing it does counts any more.
        Lost = "lost",
        /// It was told to end.
        Canceled = "canceled",
    }
}
