//! Whether a program's transfers stay inside the scratchpads.

use super::Program;
use crate::isa::Insn;

/// A transfer that goes past the end of its scratchpad. The hardware lets
/// indices wrap at the depth; a program rarely means that.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "launch {launch}, instruction {insn}: {name} reaches element {end} of {pad}, which has {depth} in {config}"
)]
pub struct Misfit {
    /// The launch.
    pub launch: String,
    /// The instruction in the launch, from 0.
    pub insn: u32,
    /// `load` or `store`.
    pub name: &'static str,
    /// The scratchpad.
    pub pad: &'static str,
    /// One past the last element.
    pub end: u64,
    /// Elements that there are.
    pub depth: u32,
    /// The configuration.
    pub config: String,
}

impl Program {
    /// Checks that every LOAD and STORE ends inside its scratchpad.
    ///
    /// # Errors
    /// The first that does not.
    pub fn fits(&self) -> Result<(), Misfit> {
        let c = &self.config;
        let image = self.dram_image();
        for launch in self.launches() {
            for (insn, i) in (0..).zip(launch.insns(&image)) {
                let Ok(i) = i else { continue };
                let (base, rows, width) = match &i {
                    i if i.is_sync() => continue,
                    Insn::Load(l) => {
                        let rows =
                            u64::from(l.y_pad_0) + u64::from(l.y_size) + u64::from(l.y_pad_1);
                        let width =
                            u64::from(l.x_pad_0) + u64::from(l.x_size) + u64::from(l.x_pad_1);
                        (l.sram_base, rows, width)
                    }
                    Insn::Store(s) => (s.sram_base, s.y_size.into(), s.x_size.into()),
                    _ => continue,
                };
                let Some(pad) = i.scratchpad() else { continue };
                let depth = c.depth(pad);
                let end = u64::from(base) + rows * width;
                if end > u64::from(depth) {
                    return Err(Misfit {
                        launch: launch.name.clone(),
                        insn,
                        name: i.name(),
                        pad: pad.name(),
                        end,
                        depth,
                        config: c.name.clone(),
                    });
                }
            }
        }
        Ok(())
    }
}
