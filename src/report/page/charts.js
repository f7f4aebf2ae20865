const CAUSES = [
  ["gemm", "GEMM steps", "--gemm"], ["alu", "ALU steps", "--alu"], ["work", "works", "--work"], ["overhead", "works beside steps", "--overhead"],
  ["token_load", "waits for a token of load", "--token-load"], ["token_compute", "waits for a token of compute", "--token-compute"], ["token_store", "waits for a token of store", "--token-store"],
  ["arbitration", "waits for its turn on the bus", "--arbitration"], ["latency", "waits for the first beat", "--latency"], ["beats", "moves beats", "--beats"],
  ["instructions", "waits for instructions", "--instructions"], ["queue_load", "the queue of load is full", "--queue"], ["queue_compute", "the queue of compute is full", "--queue"], ["queue_store", "the queue of store is full", "--queue"],
  ["idle", "idle after its last instruction", "--idle"],
];

function drawHead() {
  drawTitle();
  const boxes = PROGRAMS.map((p, i) => [
    p.name, int(p.cycles),
    `cycles, ${p.config}${p.status === "ok" ? "" : ", " + p.status}`, side(i),
  ]);
  if (DATA.speedup) { boxes.push(["speed-up", DATA.speedup.toFixed(2) + "×", `${PROGRAMS[1].name} over ${PROGRAMS[0].name}`]); }
  for (const p of PROGRAMS.length > 1 ? [PROGRAMS[1]] : [PROGRAMS[0]]) {
    const blocks = sum(p.masks.map(m => m.blocks)), kept = sum(p.masks.map(m => m.kept));
    if (blocks > 0) { boxes.push(["weight blocks kept", percent(kept, blocks), `${int(kept)} of ${int(blocks)} in ${p.name}`]); }
    boxes.push(["compute works", percent(p.total.units.compute.work || 0, p.cycles), `of the cycles of ${p.name}`]);
    boxes.push(["read bus", percent(p.total.roofline.read_bus, 1), `of its cycles carry a beat`]);
  }
  drawSummary(boxes);
}

const floorOf = l => Math.max(l.compute_floor || 0, l.memory_floor || 0);

function drawLayers() {
  const section = $("#layers");
  const floors = PROGRAMS.some(p => p.layers.some(l => floorOf(l) > 0));
  $(".note", section).textContent = PROGRAMS.length > 1
    ? "Each layer in each program. The mark is the floor: the cycles below which steps or memory cannot go."
    : floors ? "The mark is the floor: the cycles below which steps or memory cannot go." : "Named parts of the program, in order.";
  legend(section, PROGRAMS.map((p, i) => [p.name, side(i)]).concat(floors ? [["floor", "--floor", "mark"]] : []));
  const most = Math.max(...PROGRAMS.flatMap(p => p.layers.map(l => Math.max(l.cycles, floorOf(l)))));
  rows($(".chart", section), NAMES, most, name => PROGRAMS.flatMap((p, i) => {
    const l = layerOf(p, name);
    if (!l) { return []; }
    const floor = floorOf(l);
    return [{
      segments: [{ value: l.cycles, colour: side(i), tip: `${name}, ${p.name}\n${int(l.cycles)} cycles, ${percent(l.cycles, p.cycles)} of the run` }],
      mark: floor, markTip: `floor ${int(floor)}: ${(l.cycles / floor).toFixed(2)} times as many`, label: short(l.cycles),
    }];
  }), short);
}

/// Causes of a unit in a layer; what compute works at is split up. They sum to the unit's cycles.
function causesOf(layer, unit) {
  const all = { ...layer.units[unit] };
  if (unit === "compute" && layer.split) {
    const work = all.work || 0;
    all.gemm = Math.min(work, layer.split.gemm || 0);
    all.alu = Math.min(work - all.gemm, layer.split.alu || 0);
    all.overhead = work - all.gemm - all.alu;
    delete all.work;
  }
  return all;
}

const causesChosen = { program: Math.min(1, PROGRAMS.length - 1), unit: "compute", scale: 0 };
function drawCauses() {
  const section = $("#causes"), chosen = causesChosen;
  const draw = () => {
    const p = PROGRAMS[chosen.program];
    const of = name => {
      const all = causesOf(layerOf(p, name), chosen.unit);
      return CAUSES.map(([key, words, colour]) => ({ key, words, colour, value: all[key] || 0 }));
    };
    const names = layersOf(p).map(l => l.name).filter(n => sum(of(n).map(c => c.value)) > 0);
    const total = name => sum(of(name).map(c => c.value));
    const used = CAUSES.filter(([key]) => names.some(n => of(n).some(c => c.key === key && c.value > 0)));
    legend(section, used.map(([, words, colour]) => [words, colour]));
    const most = chosen.scale === 0 ? 1 : Math.max(...names.map(total));
    rows($(".chart", section), names, most, name => {
      const all = total(name), unit = chosen.scale === 0 ? all : 1;
      return [{
        segments: of(name).map(c => ({ value: c.value / unit, colour: c.colour, tip: `${name}: ${chosen.unit} ${c.words}\n${int(c.value)} cycles, ${percent(c.value, all)}` })),
        label: short(all),
      }];
    }, v => chosen.scale === 0 ? Math.round(v * 100) + " %" : short(v));
  };
  $(".note", section).textContent = "Every cycle of a unit has one cause. They sum to the cycles of the run for each unit.";
  const units = ["compute", "load", "store", "fetch"];
  const controls = [choice(units, units.indexOf(chosen.unit), i => { chosen.unit = units[i]; draw(); }), choice(["share", "cycles"], chosen.scale, i => { chosen.scale = i; draw(); })];
  if (PROGRAMS.length > 1) { controls.unshift(choice(PROGRAMS.map(p => p.name), chosen.program, i => { chosen.program = i; draw(); })); }
  $(".controls", section).replaceChildren(...controls);
  draw();
}

function drawRoofline() {
  const section = $("#roofline"), chart = $(".chart", section);
  const points = PROGRAMS.flatMap((p, i) => layersOf(p).filter(l => l.roofline.steps_per_cycle > 0).map(l => ({ p, i, l, x: l.roofline.steps_per_byte, y: l.roofline.steps_per_cycle })));
  const peak = PROGRAMS[0].peak;
  $(".note", section).textContent = `Steps of GEMM and ALU a cycle over steps a byte on the bus. The roof: one step a cycle (${int(peak.macs_per_step)} multiply-accumulates in GEMM), or as many as ${peak.bus_bytes_per_cycle} bytes a cycle feed. The closer to the roof, the better.`;
  legend(section, PROGRAMS.map((p, i) => [p.name, side(i), i % 2 === 0 ? "round" : "turned"]));
  if (points.length === 0) { chart.replaceChildren("No steps."); return; }
  const width = room(chart), height = Math.max(260, Math.min(420, width * .5)), left = 46, bottom = 40, top = 12, right = 14;
  const lo = Math.min(...points.map(p => p.x), 1 / peak.bus_bytes_per_cycle) / 1.6, hi = Math.max(...points.map(p => p.x), 1 / peak.bus_bytes_per_cycle) * 1.6;
  const low = Math.min(...points.map(p => p.y), .5) / 1.3, high = 1.7;
  const log = Math.log10;
  const x = v => left + (width - left - right) * (log(v) - log(lo)) / (log(hi) - log(lo));
  const y = v => top + (height - top - bottom) * (1 - (log(v) - log(low)) / (log(high) - log(low)));
  const parts = [];
  const decades = (from, to) => { const all = []; for (let d = Math.floor(log(from)); d <= Math.ceil(log(to)); d++) { for (const m of [1, 2, 5]) { const v = m * 10 ** d; if (v >= from && v <= to) { all.push(v); } } } return all; };
  let last = -99;
  for (const v of decades(lo, hi)) {
    parts.push(S("line", { class: "grid", x1: x(v), x2: x(v), y1: top, y2: height - bottom }));
    if (x(v) - last > 40) { parts.push(S("text", { x: x(v), y: height - bottom + 16, "text-anchor": "middle" }, String(+v.toPrecision(1)))); last = x(v); }
  }
  for (const v of decades(low, high)) { parts.push(S("line", { class: "grid", x1: left, x2: width - right, y1: y(v), y2: y(v) }), S("text", { x: left - 6, y: y(v) + 4, "text-anchor": "end" }, String(+v.toPrecision(1)))); }
  const ridge = 1 / peak.bus_bytes_per_cycle, foot = Math.max(lo, low * ridge);
  parts.push(S("path", { d: `M${x(foot)},${y(foot / ridge)} L${x(ridge)},${y(1)} L${x(hi)},${y(1)}`, fill: "none", stroke: "var(--floor)", "stroke-width": 1.6 }));
  parts.push(S("text", { x: width - right, y: top + 10, "text-anchor": "end" }, "roof: one step a cycle"), S("text", { x: (left + width - right) / 2, y: height - 6, "text-anchor": "middle" }, "steps a byte"), S("text", { x: 12, y: (top + height - bottom) / 2, transform: `rotate(-90 12 ${(top + height - bottom) / 2})`, "text-anchor": "middle" }, "steps a cycle"));
  if (PROGRAMS.length === 2) {
    for (const name of NAMES) {
      const [a, b] = PROGRAMS.map(p => points.find(q => q.p === p && q.l.name === name));
      if (a && b) { parts.push(S("line", { x1: x(a.x), y1: y(a.y), x2: x(b.x), y2: y(b.y), stroke: "var(--line)", "stroke-width": 1 })); }
    }
  }
  const most = Math.max(...points.map(p => p.l.cycles));
  for (const q of points) {
    const r = 3.5 + 7 * Math.sqrt(q.l.cycles / most);
    const [cx, cy] = [x(q.x), y(q.y)], d = r * 1.2;
    const shape = q.i % 2 === 0 ? ["circle", { cx, cy, r }] : ["path", { d: `M${cx - d} ${cy}L${cx} ${cy - d}L${cx + d} ${cy}L${cx} ${cy + d}z` }];
    parts.push(S(shape[0], { ...shape[1], fill: `var(${side(q.i)})`, "fill-opacity": .72, stroke: "var(--card)", "stroke-width": 1.2,
      tip: `${q.l.name}, ${q.p.name}\n${q.y.toFixed(3)} steps a cycle, ${percent(q.y, q.l.roofline.roof)} of its roof\n${q.x.toFixed(3)} steps a byte; ${int(q.l.cycles)} cycles` }));
  }
  chart.replaceChildren(S("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img" }, parts));
}

function drawMasks() {
  const section = $("#masks");
  const p = PROGRAMS[PROGRAMS.length - 1];
  const masks = p.masks;
  if (masks.length === 0) { section.remove(); const link = $('nav a[href="#masks"]'); if (link) { link.remove(); } return; }
  $(".note", section).textContent = `Blocks of 32 × 32 weights in ${p.name}. Down: output channels; across: input channels, with the kernel's positions inside each, row by row. Filled: kept; empty: left out.`;
  const maps = masks.map(m => {
    const caption = el("figcaption", {}, m.layer, el("span", {}, `${int(m.kept)} of ${int(m.blocks)} kept, ${percent(m.kept, m.blocks, 0)}`));
    const known = m.dims && m.mask;
    const [co, ci, kh, kw] = known ? m.dims : [1, 1, 1, 1];
    const mask = known ? m.mask : (m.kept > 0 ? "1" : "0");
    const w = ci * kw, h = co * kh;
    let d = "";
    for (let o = 0, n = 0; o < co; o++) { for (let i = 0; i < ci; i++) { for (let r = 0; r < kh; r++) { for (let s = 0; s < kw; s++, n++) {
      if (mask[n] === "1") { d += `M${i * kw + s} ${o * kh + r}h1v1h-1z`; }
    } } } }
    let lines = "";
    for (let i = 1; i < ci; i++) { lines += `M${i * kw} 0V${h}`; }
    for (let o = 1; o < co; o++) { lines += `M0 ${o * kh}H${w}`; }
    const ratio = h / w;
    const box = ratio > 1 ? `width:${Math.max(24, 100 / ratio)}%` : "";
    return el("figure", {}, caption, S("svg", { viewBox: `0 0 ${w} ${h}`, style: box, preserveAspectRatio: "none", role: "img", tip: `${m.layer}: ${known ? `${co} × ${ci} blocks, ${kh} × ${kw} positions` : "no mask: all blocks"}` },
      S("path", { class: "kept", d }), S("path", { class: "line", d: lines, "stroke-width": .16 })));
  });
  $(".maps", section).replaceChildren(...maps);
}

function drawHelp() {
  const section = $("#help");
  const p = PROGRAMS[PROGRAMS.length - 1];
  const all = layersOf(p).filter(l => l.advice.length > 0).sort((a, b) => b.advice[0].saves - a.advice[0].saves).slice(0, 9);
  $(".note", section).textContent = all.length > 0 ? `Derived from where the cycles of ${p.name} went; the savings are upper bounds. First what could save most.` : `Nothing stands out in ${p.name}.`;
  $(".advice", section).replaceChildren(...all.map(l => el("article", {}, el("h3", {}, l.name),
    el("p", {}, `${int(l.cycles)} cycles; most go to ${l.bottleneck_words} (${percent(l.bottleneck_cycles, l.cycles, 0)})`),
    el("ul", {}, l.advice.slice(0, 3).map(a => el("li", {}, `${a.text} (up to ${int(a.saves)} cycles)`))))));
}
