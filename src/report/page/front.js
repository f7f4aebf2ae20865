const POINTS = DATA.points, CONFIGS = [...new Set(POINTS.map(p => p.config))];
const METHODS = [...new Set(POINTS.map(p => p.method))];
const colourOf = p => side(METHODS.indexOf(p.method));
const scoreOf = v => DATA.unit === "%" ? (100 * v).toFixed(2) + " %" : v.toFixed(2) + " " + DATA.unit;

function drawFrontHead() {
  drawTitle();
  const best = POINTS.filter(p => p.front), dense = POINTS.find(p => p.method === "dense");
  const boxes = [["points", int(POINTS.length), `${int(best.length)} that no other one beats`]];
  if (dense) { boxes.push(["dense network", scoreOf(dense.score), `${DATA.measure}, ${int(dense.cycles)} cycles`]); }
  if (best.length > 0) { const least = best[0]; boxes.push(["fewest cycles", int(least.cycles), `${scoreOf(least.score)}, ${least.method}`, colourOf(least)]); }
  drawSummary(boxes);
}

/// The front as steps: what can be had for at most so many cycles.
function frontPath(front, x, y, right) {
  let d = "";
  front.forEach((p, i) => { d += i === 0 ? `M${x(p.cycles)},${y(p.score)}` : `H${x(p.cycles)}V${y(p.score)}`; });
  return front.length > 0 ? d + `H${right}` : d;
}

function drawFront() {
  const section = $("#front"), chart = $(".chart", section);
  $(".note", section).textContent = `The ${DATA.measure} of the int8 program on the device over the cycles of one inference. The line joins the points that no other one beats: fewer cycles and a better score are up and to the left.`;
  legend(section, METHODS.map((m, i) => [m, side(i), i % 2 === 0 ? "round" : "turned"]));
  if (POINTS.length === 0) { chart.replaceChildren("No points."); return; }
  const width = room(chart), height = Math.max(260, Math.min(440, width * .5)), left = 58, bottom = 40, top = 12, right = 18;
  const span = all => { const lo = Math.min(...all), hi = Math.max(...all), more = (hi - lo || Math.abs(hi) || 1) * .06; return [lo - more, hi + more]; };
  const [x0, x1] = span(POINTS.map(p => p.cycles)), [y0, y1] = span(POINTS.map(p => p.score));
  const x = v => left + (width - left - right) * (v - x0) / (x1 - x0);
  const y = v => top + (height - top - bottom) * (1 - (v - y0) / (y1 - y0));
  const parts = [];
  for (const v of ticks(x0, x1, width < 560 ? 3 : 6)) {
    parts.push(S("line", { class: "grid", x1: x(v), x2: x(v), y1: top, y2: height - bottom }), S("text", { x: x(v), y: height - bottom + 16, "text-anchor": "middle" }, short(v)));
  }
  for (const v of ticks(y0, y1, 5)) {
    parts.push(S("line", { class: "grid", x1: left, x2: width - right, y1: y(v), y2: y(v) }), S("text", { x: left - 6, y: y(v) + 4, "text-anchor": "end" }, DATA.unit === "%" ? +(100 * v).toFixed(2) + " %" : +v.toFixed(2)));
  }
  parts.push(S("text", { x: (left + width - right) / 2, y: height - 6, "text-anchor": "middle" }, "cycles"));
  parts.push(S("path", { d: frontPath(POINTS.filter(p => p.front), x, y, width - right), fill: "none", stroke: "var(--floor)", "stroke-width": 1.6 }));
  for (const p of POINTS) {
    const [cx, cy] = [x(p.cycles), y(p.score)], r = p.front ? 6 : 4.5, d = r * 1.2;
    const [name, shape] = METHODS.indexOf(p.method) % 2 === 0 ? ["circle", { cx, cy, r }] : ["path", { d: `M${cx - d} ${cy}L${cx} ${cy - d}L${cx + d} ${cy}L${cx} ${cy + d}z` }];
    parts.push(S(name, { ...shape, fill: `var(${colourOf(p)})`, "fill-opacity": p.front ? .95 : .5, stroke: "var(--card)", "stroke-width": 1.2,
      tip: `${p.method}${p.budget === null ? "" : ", budget " + p.budget}${CONFIGS.length > 1 ? "\n" + p.config : ""}\n${scoreOf(p.score)}, ${int(p.cycles)} cycles\n${int(p.kept)} of ${int(p.blocks)} blocks` }));
  }
  chart.replaceChildren(S("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img" }, parts));
}

function drawFailed() {
  const section = $("#failed");
  if (DATA.failed.length === 0) { section.remove(); $('nav a[href="#failed"]').remove(); return; }
  $("ul", section).replaceChildren(...DATA.failed.map(f => el("li", {}, `${f.method}${f.budget === null ? "" : ", budget " + f.budget}, ${f.config}: ${f.message}`)));
}

function drawPoints() {
  const columns = [
    ["method", "method", p => p.method, v => v], ["budget", "budget", p => p.budget, v => v === null ? "–" : String(v)],
    ["config", "configuration", p => p.config, v => v], ["cycles", "cycles", p => p.cycles, int],
    ["score", DATA.measure, p => p.score, scoreOf], ["kept", "blocks kept", p => p.kept, int],
    ["front", "on the front", p => p.front ? 1 : 0, v => v ? "yes" : ""],
  ].filter(([key]) => key !== "config" || CONFIGS.length > 1);
  sortable($("#table"), columns, POINTS, {
    placeholder: "filter by method, configuration", upward: ["method", "config", "cycles"],
    words: p => `${p.method} ${p.config} ${p.front ? "front" : ""}`, mark: p => ({ "data-point": p.key }),
  });
}

[drawFrontHead, drawFront, drawFailed, drawPoints].forEach(draw => draw());
onResize(drawFront);
ready();
