// Keys are laid out in place: with the mouse, with the keyboard, or through the fields. The form carries all of them, as without this.
"use strict";

(() => {
  const form = document.querySelector("[data-keys]");
  if (!form) return;
  const texts = JSON.parse(form.dataset.texts);
  const stateField = form.querySelector("[data-state]");
  const panel = form.querySelector("[data-panel]");
  const verdict = form.querySelector("[data-verdict]");
  const said = document.querySelector("[data-said]");
  const tiles = [...form.querySelectorAll("[data-place]")];
  const tileAt = new Map(tiles.map((tile) => [tile.dataset.place, tile]));
  const first = new Map(tiles.map((tile) => [tile.dataset.place, { source: tile.dataset.source, label: label(tile).textContent, what: what(tile).textContent }]));
  let state = JSON.parse(stateField.value || "{}"); // place -> [type, value, label, line, slot]
  let names = {};
  let open = panel ? panel.querySelector('[name="panel.place"]').value : "";
  let carried = null;

  function label(tile) { return tile.querySelector("[data-label]"); }
  function what(tile) { return tile.querySelector("[data-what]"); }
  const field = (name) => panel.querySelector(`[name="panel.${name}"]`);
  const say = (text, values) => { said.textContent = text.replace(/%\((\w+)\)s/g, (_, name) => values[name]); };
  const isLocked = (place) => first.get(place)?.source === "layout";
  const shownAs = (row) => row[2] || names[row[1]] || row[1] || texts.types[row[0]];
  const placeName = (place) => { const [module, key] = place.split("."); return module === "0" ? key : `${key} · ${texts.module} ${module}`; };

  if (!panel) { tabs(); return; }
  const marker = document.createElement("input"); // tells the server that the state is whole without the fields
  marker.type = "hidden"; marker.name = "scripted"; marker.value = "yes";
  form.append(marker);
  panel.querySelector("[data-close]").hidden = false;

  // --- Drawing ---------------------------------------------------------------------------------------------------------------
  function draw(place) {
    const tile = tileAt.get(place);
    if (!tile || isLocked(place)) return;
    const row = state[place];
    const was = first.get(place);
    const source = row ? (row[4] ? "slot" : "own") : ["slot", "line"].includes(was.source) ? was.source : "free";
    tile.classList.remove("own", "free", "slot", "line");
    tile.classList.add(source);
    const untouched = !row && source !== "free";
    label(tile).textContent = row ? shownAs(row) : untouched ? was.label : texts.free;
    what(tile).textContent = row ? (row[4] ? texts.slot : [texts.types[row[0]], shownAs(row) !== row[1] ? row[1] : ""].join(" ").trim()) : untouched ? was.what : "";
    tile.classList.toggle("open", place === open);
  }

  let waiting = 0;
  function changed(...places) {
    places.forEach(draw);
    stateField.value = JSON.stringify(state);
    form.querySelector("[data-unsaved]").hidden = false;
    clearTimeout(waiting);
    waiting = setTimeout(check, 350);
  }

  async function check() {
    const answer = await fetch(form.dataset.check, { method: "POST", body: new FormData(form), headers: { "HX-Request": "true" } });
    if (answer.headers.get("HX-Redirect")) { location.href = answer.headers.get("HX-Redirect"); return; }
    if (answer.ok) { verdict.innerHTML = await answer.text(); judged(); }
  }

  function judged() {
    const found = verdict.querySelector("[data-names]");
    if (found) names = { ...names, ...JSON.parse(found.dataset.names) };
    const wrong = new Set([...verdict.querySelectorAll("[data-wrong]")].map((item) => item.dataset.wrong));
    for (const tile of tiles) {
      tile.classList.toggle("wrong", wrong.has(tile.dataset.place));
      draw(tile.dataset.place);
    }
  }

  // --- Changing --------------------------------------------------------------------------------------------------------------
  function put(place, row) {
    if (isLocked(place)) { say(texts.locked, { where: placeName(place) }); return false; }
    state[place] = row;
    changed(place);
    if (place === open) fill(place);
    return true;
  }

  function move(from, to) {
    if (from === to || !tileAt.has(to)) return;
    if (isLocked(from) || isLocked(to)) { say(texts.locked, { where: placeName(isLocked(to) ? to : from) }); return; }
    const here = state[from], there = state[to];
    if (!here && !there) return;
    delete state[from]; delete state[to];
    if (here) state[to] = here;
    if (there) state[from] = there;
    if (open === from) open = to;
    changed(from, to);
    show(to);
    if (here) say(texts.moved, { what: shownAs(here), where: placeName(to) });
    if (!panel.hidden) fill(open);
  }

  function empty(place) {
    if (isLocked(place) || !state[place]) return;
    delete state[place];
    changed(place);
    say(texts.emptied, { where: placeName(place) });
    if (place === open) fill(place);
  }

  function lay(number, name, place) {
    const target = place || (open && !isLocked(open) && !panel.hidden ? open : nextFree());
    if (!target) { say(texts.none, {}); return; }
    names[number] = name;
    if (put(target, ["blf", number, "", 1])) { show(target); say(texts.laid, { what: name || number, where: placeName(target) }); }
    if (target === open) { panel.hidden = true; open = ""; draw(target); }
  }

  const nextFree = () => tiles.map((tile) => tile.dataset.place).find((place) => !state[place] && ["free", "slot"].includes(first.get(place).source));

  // --- The fields of one key -----------------------------------------------------------------------------------------------------
  function fill(place) {
    const row = state[place] || ["blf", "", "", 1];
    field("place").value = place;
    field("place").disabled = false;
    field("type").value = row[0];
    field("value").value = row[1];
    field("label").value = row[2];
    field("line").value = row[3];
    if (field("slot")) field("slot").checked = Boolean(row[4]);
    field("move").value = place;
    panel.querySelector("[data-panel-title]").textContent = `${texts.key} ${placeName(place)}`;
  }

  function openPanel(place) {
    if (isLocked(place)) { say(texts.locked, { where: placeName(place) }); return; }
    const before = open;
    open = place;
    if (before) draw(before);
    fill(place);
    panel.hidden = false;
    draw(place);
    field(state[place] ? "value" : "type").focus();
  }

  function closePanel() {
    const place = open;
    panel.hidden = true;
    open = "";
    draw(place);
    tileAt.get(place)?.focus();
  }

  function typed() {
    const row = [field("type").value, field("value").value.trim(), field("label").value.trim(), Number(field("line").value) || 1];
    if (field("slot")) row.push(field("slot").checked);
    state[open] = row;
    changed(open);
  }

  panel.addEventListener("input", (event) => { if (event.target.name !== "panel.move") typed(); });
  panel.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    event.preventDefault();
    if (button.matches("[data-close]")) closePanel();
    if (button.matches("[data-clear]")) { const place = open; closePanel(); empty(place); }
    if (button.matches("[data-move]")) move(open, field("move").value.trim().replace(/^(\d+)$/, "0.$1"));
  });
  panel.addEventListener("keydown", (event) => {
    if (event.key === "Escape") closePanel();
    if (event.key === "Enter" && event.target.matches("input")) {
      event.preventDefault();
      if (event.target.name === "panel.move") move(open, event.target.value.trim().replace(/^(\d+)$/, "0.$1")); else closePanel();
    }
  });

  // --- Keyboard on the drawing -----------------------------------------------------------------------------------------------------
  const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  function neighbour(tile, [dx, dy]) {
    const from = tile.getBoundingClientRect(), x = from.left + from.width / 2, y = from.top + from.height / 2;
    let best = null, least = Infinity;
    for (const other of tiles) {
      if (other === tile || !other.offsetParent) continue;
      const at = other.getBoundingClientRect(), ox = at.left + at.width / 2 - x, oy = at.top + at.height / 2 - y;
      const along = ox * dx + oy * dy, across = Math.abs(ox * dy) + Math.abs(oy * dx);
      if (along < 4) continue;
      const far = along + 3 * across;
      if (far < least) { least = far; best = other; }
    }
    return best;
  }

  // The key at the same place of the page before or after, or the last one there: pages may have fewer keys.
  function onNextPage(tile, by) {
    const part = tile.closest("[data-page]"), parts = [...part.closest("[data-block]").querySelectorAll("[data-page]")];
    const there = parts[parts.indexOf(part) + by]?.querySelectorAll("[data-place]") || [];
    return there[Math.min([...part.querySelectorAll("[data-place]")].indexOf(tile), there.length - 1)];
  }

  form.addEventListener("keydown", (event) => {
    const tile = event.target.closest("[data-place]");
    if (!tile) return;
    const place = tile.dataset.place;
    if (ARROWS[event.key]) {
      event.preventDefault();
      const next = neighbour(tile, ARROWS[event.key]);
      if (!next) return;
      if (event.altKey) move(place, next.dataset.place);
      next.focus();
    }
    if (event.key === "PageUp" || event.key === "PageDown") {
      event.preventDefault();
      const next = onNextPage(tile, event.key === "PageDown" ? 1 : -1);
      if (!next) return;
      if (event.altKey) move(place, next.dataset.place);
      show(next.dataset.place);
      next.focus();
    }
    if (event.key === "Delete" || event.key === "Backspace") { event.preventDefault(); empty(place); }
    if (event.key === "Escape" && !panel.hidden) closePanel();
  });

  form.addEventListener("click", (event) => {
    const tile = event.target.closest("[data-place]"), person = event.target.closest("[data-person]");
    if (tile) { event.preventDefault(); openPanel(tile.dataset.place); }
    if (person) { event.preventDefault(); lay(person.dataset.person, person.dataset.name); }
  });

  // --- Mouse -----------------------------------------------------------------------------------------------------------------
  form.addEventListener("dragstart", (event) => {
    const item = event.target.closest("[data-place], [data-person]");
    if (!item) return;
    carried = item;
    event.dataTransfer.effectAllowed = "move";
    event.dataTransfer.setData("text/plain", item.dataset.place || item.dataset.person);
  });
  form.addEventListener("dragover", (event) => {
    const tile = event.target.closest("[data-place]"), tab = event.target.closest("[data-tab]");
    if (carried && tab) turn(tab);
    if (!carried || !tile || isLocked(tile.dataset.place)) return;
    event.preventDefault();
    for (const other of tiles) other.classList.toggle("target", other === tile);
  });
  form.addEventListener("drop", (event) => {
    const tile = event.target.closest("[data-place]");
    if (!carried || !tile) return;
    event.preventDefault();
    if (carried.dataset.place) move(carried.dataset.place, tile.dataset.place);
    else lay(carried.dataset.person, carried.dataset.name, tile.dataset.place);
  });
  form.addEventListener("dragend", () => { carried = null; for (const tile of tiles) tile.classList.remove("target"); });

  // --- Pages, people, leaving ----------------------------------------------------------------------------------------------------
  function turn(tab) {
    const block = tab.closest("[data-block]");
    for (const other of block.querySelectorAll("[data-tab]")) other.setAttribute("aria-pressed", String(other === tab));
    for (const part of block.querySelectorAll("[data-page]")) part.hidden = part.dataset.page !== tab.dataset.tab;
  }

  function show(place) {
    const part = tileAt.get(place)?.closest("[data-page]");
    const tab = part && part.hidden && part.closest("[data-block]").querySelector(`[data-tab="${part.dataset.page}"]`);
    if (tab) turn(tab);
  }

  function tabs() {
    for (const block of form.querySelectorAll("[data-tabs]")) turn(block.querySelector("[data-tab]"));
    form.addEventListener("click", (event) => { const tab = event.target.closest("[data-tab]"); if (tab) turn(tab); });
  }

  const search = form.querySelector("[data-people-search]");
  search?.addEventListener("input", () => {
    const wanted = search.value.trim().toLowerCase();
    for (const person of form.querySelectorAll("[data-person]")) {
      person.closest("li").hidden = !`${person.dataset.name} ${person.dataset.person}`.toLowerCase().includes(wanted);
    }
  });
  search?.addEventListener("keydown", (event) => { if (event.key === "Enter") event.preventDefault(); });

  let saving = false;
  form.addEventListener("submit", () => { saving = true; });
  addEventListener("beforeunload", (event) => { if (!saving && !form.querySelector("[data-unsaved]").hidden) event.preventDefault(); });
  tabs();
  judged();
  if (open) { show(open); fill(open); }
})();
