//! How figures show themselves below a cell.

use crate::Error;
use crate::plot::{Chart, Figure};
use evcxr_notebook::{Display, Picture, debug_picture, fail};
use std::fmt;

impl Figure {
    /// Shows the figure below the notebook cell, at once: a cell can show several.
    ///
    /// evcxr alone, without the kernel that `make setup` installs, keeps only the last one of a
    /// cell and shows it when the cell has ended. Outside of notebooks a line of text is printed.
    ///
    /// # Errors
    /// As [`Figure::png`].
    ///
    /// # Examples
    /// ```
    /// use energy_discrepancy::prelude::*;
    /// for power in [1, 2, 3] {
    ///     let x = [0.0, 1.0, 2.0, 3.0];
    ///     let line = Line::new(&x, &x.map(|x: f64| x.powi(power)));
    ///     Chart::new(format!("x^{power}")).line(line).figure().show()?;
    /// }
    /// # Ok::<(), Error>(())
    /// ```
    pub fn show(&self) -> Result<(), Error> {
        self.show_in(&mut Display::default())
    }

    /// Shows the figure below a notebook cell that ends in it; evcxr calls it.
    pub fn evcxr_display(&self) {
        if let Err(error) = self.show() {
            fail(&error);
        }
    }
}

impl Picture for Figure {
    type Error = Error;

    fn png(&self) -> Result<Vec<u8>, Error> {
        Figure::png(self)
    }

    fn describe(&self) -> String {
        Figure::describe(self)
    }
}

impl Chart {
    /// Shows the chart below the notebook cell, at once: [`Figure::show`].
    ///
    /// # Errors
    /// As [`Figure::png`].
    pub fn show(&self) -> Result<(), Error> {
        self.clone().figure().show()
    }

    /// Shows the chart below a notebook cell that ends in it; evcxr calls it.
    pub fn evcxr_display(&self) {
        self.clone().figure().evcxr_display();
    }
}

impl fmt::Debug for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&debug_picture(&self.describe(), || self.png()))
    }
}

impl fmt::Debug for Chart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.clone().figure(), f)
    }
}
