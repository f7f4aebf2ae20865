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

const tableChosen = { key: null, down: true, words: "" };
function drawTable() {
  const section = $("#table"), table = $("table", section), chosen = tableChosen;
  const columns = COLUMNS.filter(([key]) => key !== "program" || PROGRAMS.length > 1);
  const row = (l, p, total) => el("tr", { class: total ? "total" : "", "data-program": p.name, "data-layer": l.name },
    columns.map(([key, , value, show]) => { const v = value(l, p); return el("td", { "data-key": key, "data-value": v === null ? "" : v }, show(v)); }));
  const body = el("tbody");
  const draw = () => {
    const all = PROGRAMS.flatMap(p => layersOf(p).map(l => ({ l, p })));
    const words = chosen.words.toLowerCase().split(/\s+/).filter(Boolean);
    const shown = all.filter(({ l, p }) => words.every(w => `${l.name} ${p.name} ${l.op || ""} ${l.bottleneck_words || ""}`.toLowerCase().includes(w)));
    const column = COLUMNS.find(([key]) => key === chosen.key);
    if (column) {
      const value = ({ l, p }) => column[2](l, p);
      shown.sort((a, b) => { const x = value(a), y = value(b); const order = typeof x === "string" ? x.localeCompare(y) : (x ?? -1) - (y ?? -1); return chosen.down ? -order : order; });
    }
    body.replaceChildren(...shown.map(({ l, p }) => row(l, p)), ...(words.length === 0 ? PROGRAMS.map(p => row(p.total, p, true)) : []));
    for (const b of table.querySelectorAll("th button")) {
      const mine = b.dataset.key === chosen.key;
      b.parentElement.setAttribute("aria-sort", mine ? (chosen.down ? "descending" : "ascending") : "none");
      b.textContent = b.dataset.head + (mine ? (chosen.down ? " ▾" : " ▴") : "");
    }
  };
  const heads = columns.map(([key, head]) => el("th", { scope: "col" }, el("button", { type: "button", "data-key": key, "data-head": head, onclick: () => {
    if (chosen.key === key) { chosen.down = !chosen.down; } else { [chosen.key, chosen.down] = [key, key !== "name" && key !== "program"]; }
    draw();
  } }, head)));
  table.replaceChildren(el("thead", {}, el("tr", {}, heads)), body);
  $(".controls", section).replaceChildren(el("input", { type: "search", placeholder: "filter by name, program, operator", "aria-label": "filter rows", oninput: e => { chosen.words = e.target.value; draw(); } }));
  draw();
}

const charts = [drawLayers, drawCauses, drawRoofline, drawTile];
function drawAll() { [drawHead, ...charts, drawMasks, drawHelp, drawTable].forEach(draw => draw()); }
drawAll();
let width = innerWidth, timer;
addEventListener("resize", () => { if (innerWidth !== width) { width = innerWidth; clearTimeout(timer); timer = setTimeout(() => charts.forEach(draw => { if (document.contains($("#tile")) || draw !== drawTile) { draw(); } }), 120); } });
document.body.dataset.readyMs = Math.round(performance.now());
