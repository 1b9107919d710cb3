"use strict";
// Shows the findings and packages of the page's data. Everything foreign becomes a text node or the value of a harmless
// attribute; nothing here makes markup from text, and the page's policy forbids it.
(() => {
const data = JSON.parse(document.getElementById("data").textContent);
const { texts, subjects, layers, findings, packages, several } = data;
const SEVERITIES = ["unknown", "none", "low", "medium", "high", "critical"];
const DECISIONS = ["refused", "warned", "ignored", "not judged"];
const PAGE = 50, PRINTED = 1000, CHOICES = 200;

// ---- making elements -------------------------------------------------------------------------------------------

function el(tag, attributes, ...children) {
  const e = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (typeof value === "function") e.addEventListener(name, value);
    else if (value !== undefined && value !== false && value !== null) e.setAttribute(name, value === true ? "" : value);
  }
  e.append(...children.filter(c => c !== "" && c !== undefined && c !== null && c !== false));
  return e;
}

function svgBar(counts, whole) {
  const ns = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(ns, "svg");
  for (const [k, v] of [["viewBox", "0 0 100 4"], ["preserveAspectRatio", "none"], ["class", "mini"], ["aria-hidden", "true"]]) svg.setAttribute(k, v);
  let x = 0;
  const rect = (cls, width) => {
    const r = document.createElementNS(ns, "rect");
    for (const [k, v] of [["class", cls], ["x", x], ["y", 0], ["width", width], ["height", 4]]) r.setAttribute(k, v);
    svg.append(r);
  };
  rect("track", 100);
  for (let s = 5; s >= 0; s--) {
    if (!counts[s]) continue;
    const width = 100 * counts[s] / whole;
    rect(SEVERITIES[s], width);
    x += width;
  }
  return svg;
}

const number = n => String(n).replace(/\B(?=(\d{3})+$)/g, ",");
const plural = (n, one, many) => number(n) + " " + (n === 1 ? one : many || one + "s");
const badge = (name, cls) => el("span", { class: "badge " + (cls || name) }, name);
const byName = (a, b) => a < b ? -1 : a > b ? 1 : 0;
const say = text => { document.getElementById("said").textContent = text; };

// ---- what a finding is ------------------------------------------------------------------------------------------

const onOf = (on, i) => several ? on[i] : [0];
const findingOn = i => onOf(data.findingOn, i);
const packageOf = f => f.p === undefined ? null : packages[f.p];
const layerOf = x => x.l === undefined ? null : layers[x.l];
const nameOf = p => p.v ? p.n + " " + p.v : p.n;
const where = on => !several ? "" : subjects.every((s, i) => !s.judged || on.includes(i)) ? "everywhere" : on.map(i => subjects[i].name).join(", ");
const titleOf = f => packageOf(f) && texts[f.t] === `${f.r} in ${packageOf(f).n}` ? "" : texts[f.t]; // it says nothing new
const placeOf = f => (f.at || [])[0] || "";

const facets = [
  { key: "decision", label: "Decision", of: f => [DECISIONS[f.d]], order: DECISIONS },
  { key: "severity", label: "Severity", of: f => [SEVERITIES[f.v]], order: [...SEVERITIES].reverse() },
  { key: "exploited", label: "Exploited by attackers", of: f => [f.x ? "yes" : "no"], order: ["yes", "no"] },
  { key: "fix", label: "Fix", of: f => [fixState(f)], order: ["available", "none", "unknown"] },
  { key: "cause", label: "New", of: f => [causeOf(f)] },
  { key: "kind", label: "Kind", of: f => [texts[f.k]] },
  { key: "subject", label: "Subject", of: (f, i) => findingOn(i).map(String), name: v => subjects[v] ? subjects[v].name : v },
  { key: "ecosystem", label: "Ecosystem", of: f => [packageOf(f) && texts[packageOf(f).e] || "none"] },
  { key: "layer", label: "Layer", of: f => [layerOf(f) ? String(layerOf(f).number) : "none"], numeric: true },
  { key: "package", label: "Package", of: f => [packageOf(f) ? nameOf(packageOf(f)) : ""], hidden: true },
];

function fixState(f) {
  const state = f.f && f.f.s || "";
  return state === "available" ? "available" : state ? "none" : "unknown";
}
function causeOf(f) { return f.w && f.w[0].c ? texts[f.w[0].c] : ""; }

for (const facet of facets) {
  facet.values = findings.map(facet.of);
  facet.selected = new Set();
  const all = new Set(facet.values.flat());
  all.delete("");
  facet.all = [...all].sort((a, b) => facet.order ? facet.order.indexOf(a) - facet.order.indexOf(b)
    : facet.numeric ? layerOrder(a) - layerOrder(b) : byName(a, b));
}
function layerOrder(v) { return v === "none" ? Infinity : Number(v); }
const facetOf = key => facets.find(f => f.key === key);

// What is searched is put together when somebody searches.
let haystacks = null;
const searched = f => {
  const p = packageOf(f);
  return [f.r, texts[f.t], ...(f.a || []), ...(f.at || []), ...(f.cw || []), f.id || "",
    ...(p ? [p.n, p.v, p.u || "", p.s || "", ...(p.via || [])] : [])].join("\n").toLowerCase();
};

// ---- state, which is in the address -----------------------------------------------------------------------------

const VIEWS = { list: "Findings", package: "By package", layer: "By layer" };
const SORTS = { urgency: "Most urgent first", package: "By package", id: "By identifier", epss: "By probability of exploitation" };
const state = { q: "", view: "list", sort: "urgency", page: 0, pq: "", ppage: 0 };
let printing = false;

function readAddress() {
  const [anchor, query] = splitOnce(location.hash.slice(1), "?");
  const params = new URLSearchParams(query);
  for (const facet of facets) {
    facet.selected = new Set(params.getAll(facet.key).filter(v => facet.all.includes(v)));
  }
  state.q = params.get("q") || "";
  state.pq = params.get("pq") || "";
  state.view = Object.hasOwn(VIEWS, params.get("view")) ? params.get("view") : "list";
  state.sort = Object.hasOwn(SORTS, params.get("sort")) ? params.get("sort") : "urgency";
  state.page = Math.max(0, (parseInt(params.get("page"), 10) || 1) - 1);
  state.ppage = 0;
  return { anchor, filtered: query !== "" };
}

function splitOnce(s, by) {
  const i = s.indexOf(by);
  return i < 0 ? [s, ""] : [s.slice(0, i), s.slice(i + 1)];
}

function writeAddress() {
  const params = new URLSearchParams();
  for (const facet of facets) for (const v of facet.selected) params.append(facet.key, v);
  if (state.q) params.set("q", state.q);
  if (state.view !== "list") params.set("view", state.view);
  if (state.sort !== "urgency") params.set("sort", state.sort);
  if (state.page) params.set("page", state.page + 1);
  if (state.pq) params.set("pq", state.pq);
  const query = params.toString();
  if (!query && !location.hash.includes("?")) return; // another part of the page
  try {
    history.replaceState(null, "", query ? "#findings?" + query : location.pathname + location.search);
  } catch { /* some browsers allow no change of a file's address; the filter works all the same */ }
}

// ---- choosing ----------------------------------------------------------------------------------------------------

// choose returns the rows that match, and counts for each facet what choosing a value of it would show.
function choose() {
  const words = state.q.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length && !haystacks) haystacks = findings.map(searched);
  const active = facets.filter(f => f.selected.size);
  const subject = facetOf("subject");
  for (const facet of facets) facet.tally = new Map();
  const rows = [];
  let total = 0;
  for (let i = 0; i < findings.length; i++) {
    if (words.length && !words.every(w => haystacks[i].includes(w))) continue;
    let failing = null, failed = 0;
    for (const facet of active) {
      if (!facet.values[i].some(v => facet.selected.has(v))) {
        failing = facet;
        if (++failed > 1) break;
      }
    }
    if (failed > 1) continue;
    const weight = weightOf(i);
    if (!failed) {
      rows.push(i);
      total += weight;
    }
    for (const facet of failed ? [failing] : facets) {
      for (const v of facet.values[i]) facet.tally.set(v, (facet.tally.get(v) || 0) + (facet === subject ? 1 : failing === subject ? 1 : weight));
    }
  }
  sortRows(rows);
  return { rows, total };
}

// weightOf is how many findings a row stands for: one for each subject that has it and is not filtered out.
function weightOf(i) {
  const chosen = facetOf("subject").selected, on = findingOn(i);
  return chosen.size ? on.filter(s => chosen.has(String(s))).length : on.length;
}

function sortRows(rows) {
  const name = i => { const p = packageOf(findings[i]); return p ? p.n : "\uffff" + placeOf(findings[i]); };
  if (state.sort === "package") rows.sort((a, b) => byName(name(a), name(b)) || a - b);
  if (state.sort === "id") rows.sort((a, b) => byName(findings[a].r, findings[b].r) || a - b);
  if (state.sort === "epss") rows.sort((a, b) => (findings[b].ep || 0) - (findings[a].ep || 0) || a - b);
}

// ---- the explorer ------------------------------------------------------------------------------------------------

const search = el("input", { type: "search", id: "q", placeholder: "Search identifiers, packages, paths", "aria-label": "Search findings",
  autocomplete: "off", spellcheck: "false", "aria-keyshortcuts": "/" });
const sort = el("select", { id: "sort", class: "plainbutton", "aria-label": "Order" }, ...Object.entries(SORTS).map(([k, v]) => el("option", { value: k }, v)));
const views = el("div", { class: "views", role: "group", "aria-label": "Show" }, ...Object.entries(VIEWS).filter(([k]) => k !== "layer" || layers.length).map(([k, v]) =>
  el("button", { type: "button", "data-view": k, click: () => { state.view = k; state.page = 0; update(); } }, v)));
const chips = el("div", { class: "chips" });
const result = el("div", {});
const pager = newPager(step => { state.page += step; update(); document.getElementById("findings").scrollIntoView(); });
const boxes = [];
const facetList = el("details", { class: "facets", open: !matchMedia("(max-width: 60rem)").matches }, el("summary", {}, "Filter"), ...facets.map(newFacet).filter(Boolean));

function newFacet(facet) {
  const useful = facet.all.length > 1 || facet.key === "decision" && facet.all[0] !== "not judged";
  if (facet.hidden || !useful) return null;
  const labels = facet.all.slice(0, CHOICES).map(v => {
    const tally = el("span", { class: "tally" });
    const box = el("input", { type: "checkbox", name: facet.key, value: v, change: () => toggle(facet, v) });
    const name = facet.name ? facet.name(v) : v;
    const label = el("label", { title: name.length > 20 ? name : undefined }, box, el("span", { class: "choice" }, name), tally);
    boxes.push({ facet, v, box, label, tally });
    return label;
  });
  const more = facet.all.length - labels.length;
  return el("fieldset", {}, el("legend", {}, facet.label), el("div", { class: "choices" }, ...labels, more > 0 && el("span", { class: "aside" }, `and ${number(more)} more`)));
}

function toggle(facet, v) {
  if (!facet.selected.delete(v)) facet.selected.add(v);
  state.page = 0;
  update();
}

function newPager(move) {
  const back = el("button", { type: "button", class: "plainbutton", click: () => move(-1) }, "Previous");
  const on = el("button", { type: "button", class: "plainbutton", click: () => move(1) }, "Next");
  const at = el("span", {});
  const root = el("div", { class: "pages" }, at, back, on);
  return { root, set(page, size, n) {
    at.textContent = n ? `${number(page * size + 1)}–${number(Math.min(n, (page + 1) * size))} of ${number(n)}` : "";
    back.disabled = page === 0;
    on.disabled = (page + 1) * size >= n;
    root.hidden = n <= size;
  } };
}

function table(cls, label, heads, rows) {
  return el("div", { class: "scroll" }, el("table", { class: cls, role: "table", "aria-label": label },
    el("thead", { role: "rowgroup" }, el("tr", { role: "row" }, ...heads.map(([name, c]) => el("th", { scope: "col", role: "columnheader", class: c }, name)))),
    el("tbody", { role: "rowgroup" }, ...rows)));
}
const cell = (label, cls, ...children) => el("td", { role: "cell", class: cls, "data-label": label || undefined }, ...children);

function findingRow(i) {
  const f = findings[i], p = packageOf(f), on = findingOn(i);
  const id = "detail-" + i;
  const open = el("button", { type: "button", class: "open", "aria-expanded": "false", "aria-controls": id, click: () => {
    const shown = row.nextSibling && row.nextSibling.id === id;
    if (shown) row.nextSibling.remove();
    else row.after(detailRow(f, i, id));
    open.setAttribute("aria-expanded", String(!shown));
  } }, f.r || "(no rule)");
  const severity = cell("", "sev", f.x ? badge("exploited") : "", f.x ? " " : "", badge(SEVERITIES[f.v]));
  const fix = f.f && f.f.v ? f.f.v : fixState(f) === "available" && !p ? "see details" : "";
  const row = el("tr", { role: "row" }, severity,
    cell("", "flaw", open, titleOf(f) ? el("span", { class: "sub" }, titleOf(f)) : ""),
    cell("", "", p ? el("span", {}, p.n) : el("span", { class: "mono" }, placeOf(f)), p ? el("span", { class: "sub mono" }, p.v) : ""),
    cell("Fixed in", "mono", fix),
    several ? cell("", "", el("span", { class: "aside" }, where(on))) : "",
    cell("", "act", f.d === 3 ? "" : badge(DECISIONS[f.d])));
  return row;
}

function detailRow(f, i, id) {
  const p = packageOf(f), list = el("dl", {});
  const add = (name, ...values) => {
    const shown = values.flat().filter(v => v !== "" && v !== undefined && v !== null && v !== false);
    if (shown.length) list.append(el("dt", {}, name), el("dd", {}, ...shown.map(v => el("div", {}, v))));
  };
  add("What", titleOf(f));
  for (const w of f.w || []) {
    add(DECISIONS[f.d] === "ignored" && w.w ? "Excused by" : "Rule", w.w ? `waiver ${texts[w.w]} (rule ${texts[w.r]})` : texts[w.r],
      texts[w.m || 0], texts[w.c] && "New: " + texts[w.c], w.h && "Would refuse, but does not block this change");
  }
  add("Says against it", (f.sa || []).map(t => texts[t]));
  add("Kind", texts[f.k]);
  add("Also known as", (f.a || []).join(", "));
  add("Severity", [SEVERITIES[f.v], f.sc !== undefined && "score " + f.sc, texts[f.so || 0] && "by " + texts[f.so]].filter(Boolean).join(", "), texts[f.ve || 0]);
  add("Exploited", f.x && `known to be exploited since ${f.x}${f.xr ? ", also by ransomware" : ""} (CISA)`);
  add("EPSS", f.ep !== undefined && `${(100 * f.ep).toFixed(2)} % within 30 days, percentile ${Math.round(100 * (f.pc || 0))}`);
  add("Reachable", f.re);
  if (p) {
    add("Package", nameOf(p), p.u, p.s && "built from " + p.s, !p.un && p.lr !== undefined && `removed in layer ${p.lr}`);
    add("Brought in by", path(p));
    add("Use", [p.re, p.sc].filter(Boolean).join(", "));
    add("Found in", p.at);
  }
  if (!p || String(f.at) !== String(p.at)) add("Place", f.at);
  const layer = layerOf(f) || p && layerOf(p);
  add("Layer", layer && `${layer.number}: ${layer.by || "unknown"}`, f.lr !== undefined && `removed in layer ${f.lr}`);
  add("On", several && where(findingOn(i)));
  add("Fix", f.f && f.f.v && "upgrade to " + f.f.v, f.f && (f.f.all || []).length > 1 && "fixed in " + f.f.all.join(", "), f.f && texts[f.f.t || 0]);
  add("Matched by", [texts[f.m || 0], f.cf && f.cf + " confidence"].filter(Boolean).join(", "));
  add("Seen by", (f.by || []).map(t => texts[t]).join(", "));
  add("Secret", f.se && "tried: " + f.se);
  add("Weakness", (f.cw || []).join(", "));
  add("Dates", [f.pu && "published " + f.pu, f.mo && "modified " + f.mo].filter(Boolean).join(", "));
  add("References", (f.li || []).map(link), f.no);
  add("Fingerprint", f.id && el("code", {}, f.id));
  return el("tr", { class: "detail", id, role: "row" }, el("td", { colspan: several ? 6 : 5, role: "cell" }, list));
}

// path is the chain of packages that brings one in, ending with itself.
function path(p) {
  return p.via && p.via.length ? [...p.via, p.n].join(" → ") : "";
}

// link follows nothing but http and https.
function link(address) {
  let url;
  try { url = new URL(address); } catch { return address; }
  if (url.protocol !== "https:" && url.protocol !== "http:") return address;
  return el("a", { href: url.href, rel: "noopener noreferrer", target: "_blank" }, address);
}

function grouped(rows, keyOf) {
  const groups = new Map();
  for (const i of rows) {
    const f = findings[i], key = keyOf(f);
    let g = groups.get(key);
    if (!g) groups.set(key, g = { key, first: f, n: 0, refused: 0, exploited: 0, counts: [0, 0, 0, 0, 0, 0], fix: 0 });
    const weight = weightOf(i);
    g.n += weight;
    g.counts[f.v] += weight;
    if (f.d === 0) g.refused += weight;
    if (f.x) g.exploited += weight;
    if (fixState(f) === "available") g.fix += weight;
  }
  return [...groups.values()];
}

function worse(a, b) {
  if (a.refused !== b.refused) return b.refused - a.refused;
  if (a.exploited !== b.exploited) return b.exploited - a.exploited;
  for (let s = 5; s >= 0; s--) if (a.counts[s] !== b.counts[s]) return b.counts[s] - a.counts[s];
  return 0;
}

function groupRow(g, most, name, sub, filter) {
  const worst = Math.max(...g.counts.map((n, s) => n ? s : 0));
  return el("tr", { role: "row" },
    cell("", "sev", g.exploited ? badge("exploited") : "", g.exploited ? " " : "", badge(SEVERITIES[worst])),
    cell("", "flaw", el("button", { type: "button", class: "link", click: filter }, name), sub ? el("span", { class: "sub flush" }, sub) : ""),
    cell("Findings", "n", number(g.n)),
    cell("", "", svgBar(g.counts, most), el("span", { class: "unseen" }, g.counts.map((n, s) => n ? n + " " + SEVERITIES[s] : "").filter(Boolean).join(", "))),
    cell("Refused", "n", number(g.refused)),
    cell("With a fix", "n", number(g.fix)));
}
const GROUP_HEADS = label => [["Worst", ""], [label, ""], ["Findings", "n"], ["Severities", ""], ["Refused", "n"], ["With a fix", "n"]];

function showOnly(key, value) {
  facetOf(key).selected = new Set([value]);
  state.view = "list";
  state.page = 0;
  update();
  search.focus();
}

function packageGroups(rows) {
  const groups = grouped(rows, f => packageOf(f) ? nameOf(packageOf(f)) : "").sort((a, b) => worse(a, b) || byName(a.key, b.key));
  const most = Math.max(1, ...groups.map(g => g.n));
  return { heads: GROUP_HEADS("Package"), n: groups.length, rows: groups, row: g => {
    const p = packageOf(g.first);
    return groupRow(g, most, g.key || "Not in a package", p ? [texts[p.e], path(p)].filter(Boolean).join(" · ") : "",
      () => showOnly("package", g.key));
  } };
}

function layerGroups(rows) {
  const groups = grouped(rows, f => f.l === undefined ? -1 : f.l).sort((a, b) => (a.key < 0 ? 1e9 : layers[a.key].number) - (b.key < 0 ? 1e9 : layers[b.key].number));
  const most = Math.max(1, ...groups.map(g => g.n));
  return { heads: GROUP_HEADS("Layer"), n: groups.length, rows: groups, row: g => {
    const l = g.key < 0 ? null : layers[g.key];
    return groupRow(g, most, l ? "Layer " + l.number : "In no layer", l && l.by, () => showOnly("layer", l ? String(l.number) : "none"));
  } };
}

function findingList(rows) {
  const heads = [["Severity", "sev"], ["Finding", ""], ["Package or place", ""], ["Fixed in", ""]];
  if (several) heads.push(["On", ""]);
  heads.push(["Decision", ""]);
  return { heads, n: rows.length, rows, row: findingRow };
}

function update() {
  const { rows, total } = choose();
  const list = state.view === "package" ? packageGroups(rows) : state.view === "layer" ? layerGroups(rows) : findingList(rows);
  const size = printing ? PRINTED : PAGE;
  if (printing || state.page * size >= list.n) state.page = 0;
  const shown = list.rows.slice(state.page * size, (state.page + 1) * size);
  result.replaceChildren(shown.length ? table("rows", VIEWS[state.view], list.heads, shown.map(list.row))
    : el("p", { class: "scroll none-left" }, "Nothing matches. Remove a filter or change the search."));
  pager.set(state.page, size, list.n);
  for (const { facet, v, box, label, tally } of boxes) {
    const n = facet.tally.get(v) || 0;
    box.checked = facet.selected.has(v);
    tally.textContent = number(n);
    label.classList.toggle("zero", n === 0);
  }
  for (const b of views.children) b.setAttribute("aria-pressed", String(b.dataset.view === state.view));
  if (search.value !== state.q) search.value = state.q;
  sort.value = state.sort;
  sort.hidden = state.view !== "list";
  updateChips(rows, total, list.n);
  if (!printing) writeAddress();
}

function updateChips(rows, total, n) {
  let text = plural(total, "finding");
  if (total !== rows.length) text += ` in ${plural(rows.length, "row")}`;
  if (state.view !== "list") text += ` in ${plural(n, state.view)}`;
  if (printing && n > PRINTED) text += `; printed are ${number(PRINTED)} of ${number(n)} rows`;
  const on = [];
  for (const facet of facets) {
    for (const v of facet.selected) {
      const name = facet.key === "package" ? v || "Not in a package" : `${facet.label}: ${facet.name ? facet.name(v) : v}`;
      on.push(el("button", { type: "button", class: "chip", "aria-label": "Remove the filter " + name, click: () => { toggle(facet, v); search.focus(); } }, name));
    }
  }
  if (on.length || state.q) on.push(el("button", { type: "button", class: "link clear", click: clear }, "Clear all"));
  chips.replaceChildren(el("span", { class: "shown" }, text), ...on);
  if (findings.length) say(text);
}

function clear() {
  for (const facet of facets) facet.selected.clear();
  state.q = "";
  state.page = 0;
  update();
  search.focus();
}

// ---- packages ----------------------------------------------------------------------------------------------------

const findingsOf = new Map();
findings.forEach((f, i) => {
  const p = packageOf(f);
  if (p) findingsOf.set(nameOf(p), (findingsOf.get(nameOf(p)) || 0) + findingOn(i).length);
});
const inventory = packages.map((p, i) => ({ p, i })).filter(x => !x.p.un).sort((a, b) => byName(a.p.n, b.p.n) || byName(a.p.v, b.p.v));
const packageSearch = el("input", { type: "search", id: "pq", placeholder: "Search packages, licences, paths", "aria-label": "Search packages", autocomplete: "off", spellcheck: "false" });
const packageResult = el("div", {});
const packagePager = newPager(step => { state.ppage += step; updatePackages(); document.getElementById("packages").scrollIntoView(); });
const packageText = x => x.hay ??= [x.p.n, x.p.v, x.p.u || "", x.p.s || "", texts[x.p.e], ...(x.p.li || []).map(t => texts[t]), ...(x.p.via || []), ...(x.p.at || [])].join("\n").toLowerCase();

const licensed = inventory.some(x => x.p.li), layered = inventory.some(x => layerOf(x.p));

function packageRow({ p, i }) {
  const n = findingsOf.get(nameOf(p)) || 0, layer = layerOf(p);
  return el("tr", { role: "row" },
    cell("", "", el("strong", {}, p.n), path(p) ? el("span", { class: "sub" }, path(p)) : p.s ? el("span", { class: "sub" }, "from " + p.s) : ""),
    cell("", "mono", p.v), cell("", "", texts[p.e]), licensed && cell("Licences", "", (p.li || []).map(t => texts[t]).join(", ")),
    layered && cell("Layer", "n", layer ? String(layer.number) + (p.lr !== undefined ? `, removed in ${p.lr}` : "") : ""),
    several ? cell("", "", el("span", { class: "aside" }, where(onOf(data.packageOn, i)))) : "",
    cell("Findings", "n", n ? el("a", { href: "#findings?" + new URLSearchParams({ package: nameOf(p) }) }, number(n)) : "0"));
}

function updatePackages() {
  const words = state.pq.toLowerCase().split(/\s+/).filter(Boolean);
  const rows = words.length ? inventory.filter(x => words.every(w => packageText(x).includes(w))) : inventory;
  const size = printing ? PRINTED : PAGE;
  if (printing || state.ppage * size >= rows.length) state.ppage = 0;
  const heads = [["Package", ""], ["Version", ""], ["Ecosystem", ""]];
  if (licensed) heads.push(["Licences", ""]);
  if (layered) heads.push(["Layer", "n"]);
  if (several) heads.push(["On", ""]);
  heads.push(["Findings", "n"]);
  const shown = rows.slice(state.ppage * size, (state.ppage + 1) * size);
  packageResult.replaceChildren(shown.length ? table("rows", "Packages", heads, shown.map(packageRow))
    : el("p", { class: "scroll none-left" }, "No package matches."));
  if (printing && rows.length > PRINTED) packageResult.append(el("p", { class: "cut" }, `Printed are ${number(PRINTED)} of ${number(rows.length)} packages.`));
  packagePager.set(state.ppage, size, rows.length);
  if (packageSearch.value !== state.pq) packageSearch.value = state.pq;
}

// ---- the rest of the page ----------------------------------------------------------------------------------------

function later(input, wait, then) {
  let timer = 0;
  input.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(then, wait); });
}

function startTheme() {
  const root = document.documentElement, button = document.getElementById("theme"), dark = matchMedia("(prefers-color-scheme: dark)");
  const now = () => root.dataset.theme || (dark.matches ? "dark" : "light");
  const label = () => { button.textContent = now() === "dark" ? "Light" : "Dark"; button.setAttribute("aria-label", `Use ${now() === "dark" ? "light" : "dark"} colours`); };
  try {
    const kept = localStorage.getItem("cleanbill-theme");
    if (kept === "dark" || kept === "light") root.dataset.theme = kept;
  } catch { /* not kept: the browser gives files no storage */ }
  button.addEventListener("click", () => {
    root.dataset.theme = now() === "dark" ? "light" : "dark";
    try { localStorage.setItem("cleanbill-theme", root.dataset.theme); } catch { /* as above */ }
    label();
  });
  dark.addEventListener("change", label);
  button.hidden = false;
  label();
}

function startCopying() {
  for (const box of document.querySelectorAll(".command")) {
    const code = box.querySelector("code");
    const button = el("button", { type: "button", class: "plainbutton", "aria-label": "Copy the command", click: async () => {
      try {
        await navigator.clipboard.writeText(code.textContent);
        button.textContent = "Copied";
        say("Copied the command.");
        setTimeout(() => { button.textContent = "Copy"; }, 1500);
      } catch { // no clipboard here: select it, so that the usual keys copy it
        const range = document.createRange();
        range.selectNodeContents(code);
        getSelection().removeAllRanges();
        getSelection().addRange(range);
      }
    } }, "Copy");
    box.append(button);
  }
}

function follow() {
  const { anchor, filtered } = readAddress();
  update();
  updatePackages();
  if (anchor === "findings" && filtered) document.getElementById("findings").scrollIntoView();
}

if (findings.length) {
  document.getElementById("explorer").append(el("div", { class: "bench" }, facetList, el("div", {},
    el("div", { class: "search" }, search, views, sort), chips, result, pager.root)));
} else {
  document.getElementById("explorer").append(el("p", { class: "aside" }, "There are no findings."));
}
if (inventory.length) {
  document.getElementById("inventory").append(el("div", { class: "search" }, packageSearch), packageResult, packagePager.root);
} else {
  document.getElementById("inventory").append(el("p", { class: "aside" }, "There are no packages."));
}
later(search, 80, () => { state.q = search.value; state.page = 0; update(); });
later(packageSearch, 80, () => { state.pq = packageSearch.value; state.ppage = 0; updatePackages(); writeAddress(); });
sort.addEventListener("change", () => { state.sort = sort.value; state.page = 0; update(); });
addEventListener("hashchange", () => { if (location.hash.includes("?")) follow(); });
addEventListener("keydown", e => {
  if (e.key !== "/" || e.ctrlKey || e.metaKey || e.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName)) return;
  e.preventDefault();
  search.focus();
});
// What is folded away is printed too, in browsers in which the style alone cannot do that.
let unfolded = [];
addEventListener("beforeprint", () => {
  printing = true;
  unfolded = [...document.querySelectorAll("details:not([open], .facets)")];
  for (const d of unfolded) d.open = true;
  update();
  updatePackages();
});
addEventListener("afterprint", () => {
  printing = false;
  for (const d of unfolded) d.open = false;
  update();
  updatePackages();
});
startTheme();
startCopying();
document.getElementById("explorer").hidden = false;
document.getElementById("inventory").hidden = false;
follow();
performance.mark("interactive");
})();
