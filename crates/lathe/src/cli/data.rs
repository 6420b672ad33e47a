//! Data under version control: `lathe repo`, `branch`, `tag`, `ls`, `cat`, `cp`, `rm`, `commit`, `log`, `diff`, `merge`, `checkout`.

mod address;
mod checkout;
pub mod copy;
pub mod files;
pub mod history;
pub mod refs;
mod remote;
mod transfer;

pub use checkout::{CheckoutArgs, EXAMPLES as CHECKOUT_EXAMPLES, run as checkout};
