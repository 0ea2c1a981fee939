//! How long a notebook may take.

use crate::Error;
use std::fmt;

/// The size of a notebook's experiment, from seconds to the paper's own settings.
///
/// Read from the environment variable `ED_PRESET` by [`crate::notebook::start`]
/// (`make run PRESET=full` sets it); written out in a cell where a reader wants another one.
///
/// # Examples
/// ```
/// use energy_discrepancy::Preset;
/// let preset: Preset = "smoke".parse()?;
/// assert_eq!(preset, Preset::Smoke);
/// assert!("huge".parse::<Preset>().is_err());
/// # Ok::<(), energy_discrepancy::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Preset {
    /// Seconds: does every cell run?
    Smoke,
    /// Minutes: enough to see the effect. The default.
    #[default]
    Quick,
    /// At most 45 minutes on two cores: what the stored outputs come from.
    Full,
    /// The reference's settings throughout.
    Paper,
}

/// Its name, as [`str::parse`] reads it.
impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Preset::Smoke => "smoke",
            Preset::Quick => "quick",
            Preset::Full => "full",
            Preset::Paper => "paper",
        })
    }
}

impl std::str::FromStr for Preset {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        match name {
            "smoke" => Ok(Preset::Smoke),
            "quick" => Ok(Preset::Quick),
            "full" => Ok(Preset::Full),
            "paper" => Ok(Preset::Paper),
            _ => Err(Error::setting(
                "ED_PRESET",
                name,
                "smoke, quick, full or paper",
            )),
        }
    }
}
