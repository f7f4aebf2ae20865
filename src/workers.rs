//! Many independent pieces of work on all cores, with results in their order.

use crate::Error;
use crate::monitor::Watch;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

/// Computes `n` pieces and gives each to `each`, from the first to the last.
///
/// A thread takes one piece after the other and does it alone: where there are more
/// pieces than threads, what a piece would do on several threads only costs. So results
/// come in order at the price of keeping those that are ready too early, and who stops
/// has all results up to some piece.
///
/// # Errors
/// The first of `compute`, in the order of pieces, or of `each`; [`Error::Cancelled`].
pub(crate) fn in_order<T: Send>(
    n: usize,
    watch: &Watch,
    compute: impl Fn(usize) -> Result<T, Error> + Sync,
    mut each: impl FnMut(T) -> Result<(), Error>,
) -> Result<(), Error> {
    let threads = rayon::current_num_threads();
    let workers = threads.min(n).max(1);
    let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let (send, receive) = mpsc::channel();
    let work = |send: mpsc::Sender<(usize, Result<T, Error>)>| {
        let _guard = StopsOthers(&stop);
        loop {
            if watch.is_cancelled() {
                stop.store(true, Ordering::SeqCst);
            }
            if stop.load(Ordering::SeqCst) {
                break;
            }
            let i = next.fetch_add(1, Ordering::SeqCst);
            if i >= n {
                break;
            }
            let done = compute(i);
            if done.is_err() {
                stop.store(true, Ordering::SeqCst);
            }
            if send.send((i, done)).is_err() {
                break;
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..workers {
            let (send, work) = (send.clone(), &work);
            scope.spawn(move || {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads / workers);
                match pool.build() {
                    Ok(pool) => pool.install(|| work(send)),
                    // Without threads of its own it shares those of all.
                    Err(_) => work(send),
                }
            });
        }
        drop(send);
        let (mut early, mut at) = (BTreeMap::new(), 0);
        for (i, done) in receive {
            early.insert(i, done);
            while let Some(done) = early.remove(&at) {
                at += 1;
                let given = done.and_then(&mut each);
                if given.is_err() {
                    stop.store(true, Ordering::SeqCst);
                    return given;
                }
            }
        }
        match at < n {
            true => Err(Error::Cancelled),
            false => Ok(()),
        }
    })
}

/// A thread that panics lets the others end soon.
struct StopsOthers<'a>(&'a AtomicBool);

impl Drop for StopsOthers<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.store(true, Ordering::SeqCst);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::time::Duration;

    #[test]
    fn results_come_in_order_whichever_is_first() {
        let compute = |i: usize| {
            thread::sleep(Duration::from_millis(if i.is_multiple_of(7) {
                5
            } else {
                0
            }));
            Ok(i)
        };
        let mut seen = Vec::new();
        let each = |i| {
            seen.push(i);
            Ok(())
        };
        in_order(40, &Watch::default(), compute, each).expect("nothing fails");
        assert_eq!(seen, (0..40).collect::<Vec<_>>());
        assert!(in_order(0, &Watch::default(), Ok, |_| Ok(())).is_ok());
    }

    fn refused() -> Error {
        Error::Inputs {
            given: 1,
            inputs: 2,
        }
    }

    #[test]
    fn all_before_the_first_error_is_given() {
        let mut seen = Vec::new();
        let compute = |i: usize| match i {
            20 => Err(refused()),
            i => Ok(i),
        };
        let each = |i| {
            seen.push(i);
            Ok(())
        };
        let done = in_order(1000, &Watch::default(), compute, each);
        assert!(matches!(done, Err(Error::Inputs { .. })));
        assert_eq!(seen, (0..20).collect::<Vec<_>>());
        let done = in_order(9, &Watch::default(), Ok, |_| Err(refused()));
        assert!(matches!(done, Err(Error::Inputs { .. })));
    }

    #[test]
    fn a_monitor_stops_it() {
        struct Stop;
        impl crate::Monitor for Stop {
            fn is_cancelled(&self) -> bool {
                true
            }
        }
        let done = in_order(9, &Watch::new(Arc::new(Stop)), Ok, |_| Ok(()));
        assert!(matches!(done, Err(Error::Cancelled)));
    }
}
