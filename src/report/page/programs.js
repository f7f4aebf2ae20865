const PROGRAMS = DATA.programs;

/// Layers in which something happened.
const layersOf = program => program.layers.filter(l => l.cycles > 0);
const NAMES = [...new Set(PROGRAMS.flatMap(p => layersOf(p).map(l => l.name)))];
const layerOf = (program, name) => program.layers.find(l => l.name === name);

