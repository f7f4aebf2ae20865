const TILE_COLOURS = {
  "gemm": "--gemm", "gemm reset": "--overhead", "alu imm": "--alu", "alu reg": "--alu", "load.uop": "--arbitration", "load.wgt": "--beats", "load.inp": "--token-load", "load.acc": "--instructions",
  "store": "--token-store", "empty": "--overhead", "finish": "--ink", "hands on": "--work", "beats": "--beats",
  "token_load": "--token-load", "token_compute": "--token-compute", "token_store": "--token-store", "arbitration": "--arbitration", "latency": "--latency",
  "queue_load": "--queue", "queue_compute": "--queue", "queue_store": "--queue",
};
const READ_COLOURS = { "read fetch": "--work", "read uop": "--arbitration", "read inp": "--token-load", "read wgt": "--beats", "read acc": "--instructions", "write": "--token-store" };
const causeWords = Object.fromEntries(CAUSES.map(([key, words]) => [key, words]));
const isWait = what => what in causeWords && what !== "beats";

/// Room for the names of tracks.
const leftOf = width => width < 560 ? 76 : 92;

const tileChosen = { program: Math.min(1, PROGRAMS.length - 1), from: 0, to: 0 };
function drawTile() {
  const section = $("#tile"), chart = $(".chart", section), chosen = tileChosen;
  const tiles = PROGRAMS.map(p => p.tile);
  if (!tiles.some(Boolean)) { section.remove(); const link = $('nav a[href="#tile"]'); if (link) { link.remove(); } return; }
  if (!tiles[chosen.program]) { chosen.program = tiles.findIndex(Boolean); }
  const whole = () => { const t = tiles[chosen.program]; [chosen.from, chosen.to] = [t.from, t.to]; };
  if (chosen.to === 0) { whole(); }

  const draw = () => {
    const t = tiles[chosen.program];
    $(".note", section).textContent = `${t.layer} in ${PROGRAMS[chosen.program].name}, cycles ${int(chosen.from)} to ${int(chosen.to)}. Filled: an instruction or beats on the bus; thin: what the unit waits for. Zoom with the buttons, or the wheel with Ctrl; drag to move.`;
    const width = room(chart), left = leftOf(width), right = 8, lane = 26, top = 22;
    const x = c => left + (width - left - right) * (c - chosen.from) / (chosen.to - chosen.from);
    const used = t.tracks.map((name, i) => [name, i]).filter(([, i]) => t.slices.some(s => s.track === i));
    const height = top + used.length * lane + 6;
    const clip = S("clipPath", { id: "tile-clip" }, S("rect", { x: left, y: 0, width: width - left - right, height }));
    const parts = [S("defs", {}, clip)];
    const body = S("g", { "clip-path": "url(#tile-clip)" });
    for (const at of ticks(chosen.from, chosen.to, width < 560 ? 3 : 7)) {
      const anchor = x(at) < left + 30 ? "start" : x(at) > width - right - 30 ? "end" : "middle";
      parts.push(S("line", { class: "grid", x1: x(at), x2: x(at), y1: top - 6, y2: height }), S("text", { x: x(at), y: 11, "text-anchor": anchor }, int(at)));
    }
    used.forEach(([name, track], row) => {
      const y = top + row * lane;
      parts.push(S("text", { class: "name", x: left - 8, y: y + 14, "text-anchor": "end" }, name));
      parts.push(S("line", { class: "grid", x1: left, x2: width - right, y1: y + lane - 4, y2: y + lane - 4 }));
      for (const s of t.slices) {
        if (s.track !== track || s.to <= chosen.from || s.from >= chosen.to) { continue; }
        const wait = track < 4 && (isWait(s.what) || (track > 0 && s.what === "beats") || (track === 0 && s.what === "beats"));
        const w = Math.max(.5, x(s.to) - x(s.from));
        const colour = READ_COLOURS[name] || TILE_COLOURS[s.what] || "--overhead";
        const words = s.insn === null ? `${name} ${causeWords[s.what] || s.what}` : `${name}: ${s.what}, instruction ${s.insn}`;
        const inside = wait && s.insn === null;
        const rect = S("rect", { x: x(s.from), y: inside ? y + 16 : y + 2, width: w, height: inside ? 5 : (track < 4 ? 13 : 16), fill: `var(${colour})`, tip: `${words}\n${int(s.from)} to ${int(s.to - 1)}: ${int(s.to - s.from)} cycles` });
        rect.addEventListener("click", () => { $(".detail", section).textContent = `${words}: cycles ${int(s.from)} to ${int(s.to - 1)}, ${int(s.to - s.from)} of them`; });
        body.append(rect);
        if (s.insn !== null && w > 7 * s.what.length + 10) { body.append(S("text", { x: Math.max(x(s.from), left) + 4, y: y + 12, style: "fill:var(--card);font-size:10.5px;pointer-events:none" }, s.what)); }
      }
    });
    parts.push(body);
    const svg = S("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img" }, parts);
    chart.replaceChildren(svg);
    const shown = t.slices.filter(s => s.track < 4 && s.to > chosen.from && s.from < chosen.to);
    const seen = (insns, words) => [...new Map(shown.filter(s => (s.insn !== null) === insns && s.what !== "hands on").map(s => [words(s.what), TILE_COLOURS[s.what] || "--overhead"]))];
    legend(section, [
      ...seen(true, what => what.startsWith("alu") ? "alu" : what),
      ...seen(false, what => what.startsWith("queue") ? "a queue is full" : causeWords[what] || what).map(([words, colour]) => [words, colour, "thin"]),
    ]);
  };

  const zoom = (factor, at) => {
    const t = tiles[chosen.program];
    const middle = at === undefined ? (chosen.from + chosen.to) / 2 : at;
    const span = Math.min(t.to - t.from, Math.max(20, (chosen.to - chosen.from) * factor));
    const share = (middle - chosen.from) / (chosen.to - chosen.from);
    let from = Math.round(middle - span * share);
    from = Math.max(t.from, Math.min(t.to - span, from));
    [chosen.from, chosen.to] = [Math.round(from), Math.round(from + span)];
    draw();
  };
  const move = by => {
    const t = tiles[chosen.program], span = chosen.to - chosen.from;
    const from = Math.round(Math.max(t.from, Math.min(t.to - span, chosen.from + by)));
    [chosen.from, chosen.to] = [from, from + span];
    draw();
  };
  const group = el("div", { class: "group" }, ...[["+", () => zoom(.5)], ["–", () => zoom(2)], ["←", () => move(-(chosen.to - chosen.from) / 3)], ["→", () => move((chosen.to - chosen.from) / 3)], ["all", () => { whole(); draw(); }]]
    .map(([label, onclick]) => el("button", { type: "button", onclick, "aria-label": { "+": "zoom in", "–": "zoom out", "←": "earlier", "→": "later", "all": "whole tile" }[label] }, label)));
  const controls = [group];
  if (tiles.filter(Boolean).length > 1) { controls.unshift(choice(PROGRAMS.map(p => p.name), chosen.program, i => { if (tiles[i]) { chosen.program = i; whole(); draw(); } })); }
  $(".controls", section).replaceChildren(...controls);
  const at = event => { const box = chart.getBoundingClientRect(), left = leftOf(box.width); return chosen.from + (chosen.to - chosen.from) * Math.max(0, Math.min(1, (event.clientX - box.left - left) / (box.width - left - 8))); };
  chart.onwheel = event => { if (event.ctrlKey || event.metaKey) { event.preventDefault(); zoom(event.deltaY > 0 ? 1.25 : .8, at(event)); } };
  let drag = null;
  chart.onpointerdown = event => { drag = at(event); };
  chart.onpointermove = event => { if (drag !== null && event.buttons === 1) { const by = drag - at(event); if (Math.abs(by) > (chosen.to - chosen.from) / 200) { move(by); drag = at(event); } } };
  chart.onpointerup = chart.onpointerleave = () => { drag = null; };
  draw();
}
