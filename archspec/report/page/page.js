"use strict";
// What the page's data is: names and lines of the nodes, what columns are sorted by, and for each depth that the
// picture is folded to the nodes of its boxes and groups. Nodes are numbers here, in the order of the network.
const data = JSON.parse(document.getElementById("data").textContent);
const all = (selector, within = document) => [...within.querySelectorAll(selector)];
const one = (selector, within = document) => within.querySelector(selector);
const KEPT = "archspec:" + location.pathname;

if (data.nodes) network();
if ("live" in document.body.dataset) live();

function network() {
  const rows = all(".layers tbody tr");
  const lines = new Map(all(".text [data-line]").map((row) => [Number(row.dataset.line), row]));
  const levels = all(".level");
  const canvas = one(".canvas");
  const search = one("#search");
  const ofLine = new Map();
  data.lines.forEach((line, node) => ofLine.set(line, [...(ofLine.get(line) || []), node]));
  let level = Math.max(0, levels.findIndex((picture) => !picture.hidden));
  let zoom = 0; // 0: as wide as there is room
  let chosen = [];

  // ---- picture, table, lines and charts, all at the chosen nodes

  function choose(nodes, from) {
    chosen = nodes;
    const wanted = new Set(nodes);
    all(".chosen").forEach((element) => element.classList.remove("chosen"));
    const marked = {
      table: nodes.map((node) => rows[node]).filter(Boolean),
      text: [...new Set(nodes.map((node) => lines.get(data.lines[node])))].filter(Boolean),
      picture: boxes().filter((box) => held(box).some((node) => wanted.has(node))),
    };
    for (const [place, elements] of Object.entries(marked)) {
      elements.forEach((element) => element.classList.add("chosen"));
      if (place !== from && elements.length) reveal(elements);
    }
    all(".point").forEach((point) => point.classList.toggle("chosen", wanted.has(Number(point.dataset.node))));
    for (const chart of all("[data-depth]")) {
      const { depth, left, right } = chart.dataset;
      const first = Math.min(...nodes), last = Math.max(...nodes), step = (right - left) / depth;
      const mark = one(".mark", chart);
      mark.setAttribute("x", nodes.length ? Number(left) + first * step : -99);
      mark.setAttribute("width", nodes.length ? Math.max(1, (last - first + 1) * step) : 1);
    }
    keep();
  }

  // Scrolls the box that an element is in, and not the page.
  function reveal(elements) {
    const frame = elements[0].closest(".scroll, .canvas");
    if (!frame) return;
    const outer = frame.getBoundingClientRect();
    const inside = ({ top, bottom, left, right }) =>
      top >= outer.top + 24 && bottom <= outer.bottom && left >= outer.left && right <= outer.right;
    if (elements.some((element) => inside(element.getBoundingClientRect()))) return;
    const at = elements[0].getBoundingClientRect();
    frame.scrollBy(0, (at.top + at.bottom - outer.top - outer.bottom) / 2);
    if (frame === canvas) frame.scrollBy((at.left + at.right - outer.left - outer.right) / 2, 0);
  }

  const boxes = () => (levels.length ? all(".node", levels[level]) : []);
  const held = (element) => {
    const { box, group } = element.dataset;
    return box !== undefined ? data.levels[level].boxes[box] : data.levels[level].groups[group];
  };

  // ---- folding and zoom

  function show(next) {
    if (!levels.length) return;
    level = Math.max(0, Math.min(levels.length - 1, next));
    levels.forEach((picture, i) => (picture.hidden = i !== level));
    one("#level").textContent = `depth ${level + 1} of ${levels.length}`;
    resize();
    find();
    choose(chosen);
  }

  // The next picture in which these nodes are drawn in several boxes, or in one.
  function open(nodes, step) {
    for (let i = level + step; i >= 0 && i < levels.length; i += step) {
      const inside = data.levels[i].boxes.filter((box) => box.some((node) => nodes.includes(node)));
      if (step > 0 ? inside.length > 1 : inside.length === 1) {
        chosen = nodes;
        return show(i);
      }
    }
  }

  function resize() {
    for (const svg of all(".level svg")) {
      const wide = Number(svg.dataset.width) * (4 / 3);
      svg.style.width = zoom ? `${wide * zoom}px` : `min(100%, ${wide}px)`;
    }
  }

  function scale(factor) {
    const svg = one("svg", levels[level]);
    const before = svg.getBoundingClientRect().width;
    const [x, y] = [canvas.scrollLeft + canvas.clientWidth / 2, canvas.scrollTop + canvas.clientHeight / 2];
    zoom = factor && Math.min(8, Math.max(0.05, (before / (Number(svg.dataset.width) * (4 / 3))) * factor));
    resize();
    const grown = svg.getBoundingClientRect().width / before;
    canvas.scrollTo(x * grown - canvas.clientWidth / 2, y * grown - canvas.clientHeight / 2);
    keep();
  }

  // ---- search, sort, copy

  function find() {
    const word = search.value.trim().toLowerCase();
    const hits = new Set();
    data.nodes.forEach((name, node) => {
      const op = rows[node]?.cells[1].textContent.toLowerCase();
      const is = name.toLowerCase().includes(word) || op === word;
      if (rows[node]) rows[node].hidden = word !== "" && !is;
      if (is) hits.add(node);
    });
    boxes().forEach((box) => box.classList.toggle("passed", word !== "" && !held(box).some((node) => hits.has(node))));
    one("#found").textContent = word ? `${hits.size} of ${data.nodes.length}` : "";
    keep();
    return [...hits];
  }

  function sort(column, order) {
    const values = column ? data.sort[column - 1] : null;
    const less = (a, b) => {
      if (Array.isArray(a)) return size(a) - size(b);
      return typeof a === "string" ? a.localeCompare(b) : a - b;
    };
    const known = (node) => values[node] !== null && values[node] !== "";
    const nodes = rows.map((_, node) => node);
    if (values && order !== "none") {
      const sign = order === "descending" ? -1 : 1;
      nodes.sort((a, b) => known(b) - known(a) || (known(a) && sign * less(values[a], values[b])) || a - b);
    } else if (order === "descending") nodes.reverse();
    one(".layers tbody").append(...nodes.map((node) => rows[node]));
    all(".layers thead th").forEach((head, i) => {
      if (i === column && order !== "none") head.setAttribute("aria-sort", order);
      else head.removeAttribute("aria-sort");
    });
    keep();
  }
  const size = (shape) => shape.reduce((product, n) => product * n, 1);

  async function copy() {
    const shown = [one(".layers thead tr"), ...all(".layers tbody tr").filter((row) => !row.hidden)];
    const text = shown.map((row) => [...row.cells].map((cell) => cell.textContent).join("\t")).join("\n");
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // A page of a file may not be allowed to: what is selected can be copied in the old way.
      const area = document.createElement("textarea");
      area.value = text;
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
    one("#copied").textContent = `${shown.length - 1} rows`;
  }

  // ---- what is kept when a live page is loaded again

  function keep() {
    if (!("live" in document.body.dataset)) return;
    const names = chosen.map((node) => data.nodes[node]);
    sessionStorage.setItem(KEPT, JSON.stringify({ level, zoom, names, word: search.value, scroll: canvas?.scrollTop }));
  }

  function restored() {
    const kept = JSON.parse(("live" in document.body.dataset && sessionStorage.getItem(KEPT)) || "null");
    if (!kept) return show(level);
    zoom = kept.zoom;
    search.value = kept.word;
    chosen = kept.names.map((name) => data.nodes.indexOf(name)).filter((node) => node >= 0);
    show(kept.level);
    if (canvas && kept.scroll) canvas.scrollTop = kept.scroll;
  }

  // ---- what a person does

  const actions = {
    fold: () => show(level - 1),
    unfold: () => show(level + 1),
    smaller: () => scale(1 / 1.25),
    larger: () => scale(1.25),
    fit: () => scale(0),
    copy,
  };
  const keys = { "[": "fold", "]": "unfold", "-": "smaller", "+": "larger", "=": "larger", 0: "fit" };

  document.addEventListener("click", (event) => {
    const at = (selector) => event.target.closest(selector);
    let found;
    if ((found = at("[data-do]"))) actions[found.dataset.do]();
    else if ((found = at("[data-sort]"))) {
      const column = Number(found.dataset.sort);
      const now = found.closest("th").getAttribute("aria-sort");
      sort(column, !now ? "descending" : now === "descending" && column ? "ascending" : "none");
    } else if ((found = at(".node, .cluster"))) choose(held(found), "picture");
    else if ((found = at(".layers tbody tr"))) choose([Number(found.dataset.node)], "table");
    else if ((found = at(".text [data-line]"))) choose(ofLine.get(Number(found.dataset.line)) || [], "text");
    else if ((found = at("[data-to-line]"))) {
      const line = Number(found.dataset.toLine);
      choose(ofLine.get(line) || []);
      if (lines.has(line)) reveal([lines.get(line)]);
    } else if ((found = at(".point"))) choose([Number(found.dataset.node)]);
    else if ((found = at("[data-depth]"))) {
      const { left, right, depth } = found.dataset;
      const place = found.getBoundingClientRect();
      const x = ((event.clientX - place.left) / place.width) * found.viewBox.baseVal.width;
      const node = Math.floor(((x - left) / (right - left)) * depth);
      if (node >= 0 && node < depth) choose([node]);
    }
  });

  document.addEventListener("dblclick", (event) => {
    const found = event.target.closest(".node, .cluster");
    if (found) open(held(found), found.dataset.box === undefined ? -1 : 1);
  });

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") {
      search.value = "";
      find();
      choose([]);
    }
    if (event.target === search) {
      const hits = event.key === "Enter" && search.value.trim() ? find() : [];
      if (hits.length) choose(hits);
      return;
    }
    if (event.key === "/") search.focus();
    else if (keys[event.key] && levels.length) actions[keys[event.key]]();
    else if (event.key === "Enter" && event.target === canvas && chosen.length) open(chosen, 1);
    else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      if (!event.target.closest(".scroll, .canvas")) return;
      // In the table to the next row as it is sorted, elsewhere to the next node.
      const shown = event.target.closest(".scroll")?.querySelector(".layers")
        ? all(".layers tbody tr").filter((row) => !row.hidden).map((row) => Number(row.dataset.node))
        : data.nodes.map((_, node) => node);
      const down = event.key === "ArrowDown";
      const at = shown.indexOf(down ? chosen[chosen.length - 1] : chosen[0]);
      const next = shown[at < 0 ? 0 : at + (down ? 1 : -1)];
      if (next !== undefined) choose([next]);
    } else return;
    event.preventDefault();
  });

  search.addEventListener("input", find);
  if (canvas) {
    canvas.addEventListener("wheel", (event) => {
      if (!event.ctrlKey) return;
      event.preventDefault();
      scale(event.deltaY < 0 ? 1.1 : 1 / 1.1);
    }, { passive: false });
    canvas.addEventListener("scroll", keep);
    let grip = null;
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button === 0 && event.pointerType === "mouse") grip = [event.clientX, event.clientY];
    });
    window.addEventListener("pointermove", (event) => {
      if (!grip) return;
      canvas.classList.add("grabbed");
      canvas.scrollBy(grip[0] - event.clientX, grip[1] - event.clientY);
      grip = [event.clientX, event.clientY];
    });
    window.addEventListener("pointerup", () => {
      grip = null;
      canvas.classList.remove("grabbed");
    });
  }
  restored();
}

// A page that ``archspec view`` serves: it is loaded again when the file has changed, and says what is wrong with it.
function live() {
  const news = document.getElementById("news");
  const told = new EventSource("news?have=" + encodeURIComponent(document.body.dataset.live));
  const say = (text) => {
    news.replaceChildren(Object.assign(document.createElement("pre"), { textContent: text }));
    news.hidden = !text;
  };
  told.addEventListener("changed", () => {
    told.close();
    location.reload();
  });
  told.addEventListener("wrong", (event) => say(JSON.parse(event.data)));
  told.addEventListener("error", () => say("The server has ended; what is shown is the last that it sent."));
}
