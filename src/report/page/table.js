/// Columns: key, head, value of a layer, how it is shown.
const COLUMNS = [
  ["name", "layer", l => l.name, v => v],
  ["program", "program", (l, p) => p.name, v => v],
  ["cycles", "cycles", l => l.cycles, int],
  ["share", "% of run", (l, p) => p.cycles ? 100 * l.cycles / p.cycles : 0, v => v.toFixed(1)],
  ["floor", "floor", l => floorOf(l) || null, v => v === null ? "–" : int(v)],
  ["work", "works", l => l.units.compute.work || 0, int],
  ["token_load", "waits for load", l => l.units.compute.token_load || 0, int],
  ["token_store", "waits for store", l => l.units.compute.token_store || 0, int],
  ["gemm_steps", "GEMM steps", l => l.gemm_steps, int],
  ["alu_steps", "ALU steps", l => l.alu_steps, int],
  ["bytes_read", "bytes read", l => l.bytes_read, int],
  ["bytes_written", "bytes written", l => l.bytes_written, int],
  ["bursts", "bursts", l => sum(Object.values(l.traffic).map(t => t.bursts)), int],
  ["blocks", "blocks", l => l.blocks || null, v => v === null ? "–" : int(v)],
  ["kept", "kept", l => l.blocks ? l.kept : null, v => v === null ? "–" : int(v)],
  ["steps_per_byte", "steps a byte", l => l.roofline.steps_per_byte, v => v.toFixed(3)],
  ["roof", "% of roof", l => l.roofline.roof > 0 ? 100 * l.roofline.steps_per_cycle / l.roofline.roof : 0, v => v.toFixed(1)],
  ["bottleneck", "most cycles go to", l => l.bottleneck_words || "", v => v],
];

function drawTable() {
  const columns = COLUMNS.filter(([key]) => key !== "program" || PROGRAMS.length > 1);
  const words = ({ l, p }) => `${l.name} ${p.name} ${l.op || ""} ${l.bottleneck_words || ""}`;
  sortable($("#table"), columns.map(([key, head, value, show]) => [key, head, ({ l, p }) => value(l, p), show]), PROGRAMS.flatMap(p => layersOf(p).map(l => ({ l, p }))), {
    placeholder: "filter by name, program, operator", upward: ["name", "program"], words,
    mark: ({ l, p }) => ({ "data-program": p.name, "data-layer": l.name }),
    totals: PROGRAMS.map(p => ({ l: p.total, p })),
  });
}

const charts = [drawLayers, drawCauses, drawRoofline, drawTile];
function drawAll() { [drawHead, ...charts, drawMasks, drawHelp, drawTable].forEach(draw => draw()); }
drawAll();
onResize(() => charts.forEach(draw => { if (document.contains($("#tile")) || draw !== drawTile) { draw(); } }));
ready();
