//! Data under version control: `lathe repo`, `branch`, `tag`, `ls`, `cat`, `cp`, `rm`, `commit`, `log`, `diff`, `merge`, `checkout`.

pub mod address;
mod batch_answers;
mod batches;
mod checkout;
pub mod copy;
mod downloads;
pub mod files;
pub mod history;
pub mod refs;
mod remote;
pub mod transfer;

pub use checkout::{CheckoutArgs, EXAMPLES as CHECKOUT_EXAMPLES, run as checkout};
