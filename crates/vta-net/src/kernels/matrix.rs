//! Products of matrices in single precision.

/// A matrix in a slice: sizes, and distances of rows and of columns.
#[derive(Debug, Clone, Copy)]
pub struct Layout {
    /// Rows.
    pub rows: usize,
    /// Columns.
    pub columns: usize,
    /// From a row to the next.
    pub row_step: usize,
    /// From a column to the next.
    pub column_step: usize,
}

impl Layout {
    /// Row after row, `step` apart.
    pub const fn by_rows(rows: usize, columns: usize, step: usize) -> Self {
        Self {
            rows,
            columns,
            row_step: step,
            column_step: 1,
        }
    }

    /// The same elements as the transposed matrix.
    pub const fn transposed(self) -> Self {
        Self {
            rows: self.columns,
            columns: self.rows,
            row_step: self.column_step,
            column_step: self.row_step,
        }
    }

    /// Elements that a slice must have.
    const fn extent(&self) -> usize {
        if self.rows == 0 || self.columns == 0 {
            return 0;
        }
        (self.rows - 1) * self.row_step + (self.columns - 1) * self.column_step + 1
    }
}

/// `c = a b`, or `c += a b` if `add`; on one thread.
///
/// # Panics
/// Sizes that do not suit each other, or a slice that is too short: a mistake in the caller.
pub fn product(
    (c, lc): (&mut [f32], Layout),
    (a, la): (&[f32], Layout),
    (b, lb): (&[f32], Layout),
    add: bool,
) {
    assert!(la.rows == lc.rows && lb.columns == lc.columns && la.columns == lb.rows);
    assert!(lc.extent() <= c.len() && la.extent() <= a.len() && lb.extent() <= b.len());
    let step = |n: usize| n as isize;
    // SAFETY: sizes agree and every element that the layouts reach is in its
    // slice, by the assertions above; `c` is borrowed exclusively.
    unsafe {
        gemm::gemm(
            lc.rows,
            lc.columns,
            la.columns,
            c.as_mut_ptr(),
            step(lc.column_step),
            step(lc.row_step),
            add,
            a.as_ptr(),
            step(la.column_step),
            step(la.row_step),
            b.as_ptr(),
            step(lb.column_step),
            step(lb.row_step),
            1.0,
            1.0,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}
