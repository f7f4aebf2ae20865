//! The points that no other one beats.

use crate::rows::Row;

/// Cycles and score of a row, if it has both.
pub fn cycles_and_score(row: &Row) -> Option<(u64, f64)> {
    let score = row.value("score")?.as_f64()?;
    Some((row.value("cycles")?.as_u64()?, score))
}

/// The name of a row's method: `dense` of the dense network.
pub fn method_of(row: &Row) -> &str {
    let method = row.point().get("method").and_then(|m| m.as_str());
    method.unwrap_or_default()
}

/// The rows that no other one beats, from the fewest cycles on: none has at most as many
/// cycles and at least the score, and one of both better. Rows that are alike are all in
/// it; rows without a result are not.
///
/// ```
/// use vta::pareto::front;
/// use vta::rows::{Outcome, Point, Row};
///
/// let row = |cycles: u64, score: f64| {
///     let all = [("cycles".to_owned(), cycles.into()), ("score".to_owned(), score.into())];
///     let point = Point::new("front").with("cycles", cycles).with("score", score);
///     Row::new(point, Default::default(), Outcome::Result(all.into_iter().collect()))
/// };
/// let rows = [row(300, 0.9), row(100, 0.5), row(200, 0.4), row(200, 0.8)];
/// let all: Vec<&Row> = rows.iter().collect();
/// assert_eq!(front(&all), [&rows[1], &rows[3], &rows[0]]);
/// ```
pub fn front<'a>(rows: &[&'a Row]) -> Vec<&'a Row> {
    let with = |row: &&'a Row| Some((cycles_and_score(row)?, *row));
    let mut all: Vec<((u64, f64), &Row)> = rows.iter().filter_map(with).collect();
    // Of the same cycles the best first.
    all.sort_by(|(a, _), (b, _)| a.0.cmp(&b.0).then(b.1.total_cmp(&a.1)));
    let mut best: Option<(u64, f64)> = None;
    let mut front = Vec::new();
    for ((cycles, score), row) in all {
        if best.is_none_or(|b| score > b.1 || (cycles, score) == b) {
            best = Some((cycles, score));
            front.push(row);
        }
    }
    front
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::{Failure, Outcome, Point};
    use proptest::prelude::*;

    fn row(n: usize, cycles: u64, score: f64) -> Row {
        let all = [("cycles", cycles.into()), ("score", score.into())];
        let all = all.map(|(name, value): (&str, serde_json::Value)| (name.to_owned(), value));
        let outcome = Outcome::Result(all.into_iter().collect());
        Row::new(Point::new("test").with("n", n), Default::default(), outcome)
    }

    proptest! {
        #[test]
        fn it_is_what_is_not_beaten(points in prop::collection::vec((0u64..8, 0u8..8), 0..24)) {
            let rows: Vec<Row> = points.iter().enumerate()
                .map(|(n, (cycles, score))| row(n, *cycles, f64::from(*score))).collect();
            let all: Vec<&Row> = rows.iter().collect();
            let found = front(&all);
            for (a, (cycles, score)) in all.iter().zip(&points) {
                let beats = |(c, s): &(u64, u8)| {
                    c <= cycles && s >= score && (c, s) != (cycles, score)
                };
                prop_assert_eq!(found.contains(a), !points.iter().any(beats));
            }
            let order: Vec<_> = found.iter().map(|r| r.value("cycles").cloned()).collect();
            prop_assert!(order.is_sorted_by_key(|c| c.as_ref().and_then(|c| c.as_u64())));
        }
    }

    #[test]
    fn rows_without_a_result_are_left_out() {
        let failure = Failure {
            kind: "prune".into(),
            message: "no".into(),
        };
        let failed = Row::new(
            Point::new("test"),
            Default::default(),
            Outcome::Error(failure),
        );
        assert!(front(&[&failed]).is_empty());
    }
}
