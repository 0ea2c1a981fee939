//! Where a chart's legend stands.

/// Where a chart's legend stands. Lines without a label are not listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Legend {
    /// Beside the chart, on its right: covers nothing.
    #[default]
    Right,
    /// Inside, top left.
    TopLeft,
    /// Inside, top right.
    TopRight,
    /// Inside, bottom left.
    BottomLeft,
    /// Inside, bottom right.
    BottomRight,
    /// None.
    Hidden,
}
