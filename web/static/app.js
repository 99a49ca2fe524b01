// What the pages do beyond links and forms: show what happens at once, and spare a click here and there. All of them work without it.
"use strict";

(() => {
  const body = document.body;
  document.documentElement.classList.add("scripted");

  // --- Live: the server says which topics changed; the parts of the page that show one are fetched again. ---------------------
  let known = body.dataset.marks ? JSON.parse(body.dataset.marks) : null;
  let source = null;
  let lastHeard = 0;
  let stale = new Set();
  let busyUntil = 0;
  let waiting = 0;
  const SILENCE_MS = 40000; // the server says something every 15 s
  const state = document.querySelector("[data-live-state]");

  const shown = (isLive) => state && state.classList.toggle("lost", !isLive);

  function heard(event) {
    lastHeard = Date.now();
    shown(true);
    if (event.type !== "marks") return;
    const marks = JSON.parse(event.data);
    for (const topic of Object.keys(marks)) if (!known || known[topic] !== marks[topic]) stale.add(topic);
    known = marks;
    if (stale.size) refreshSoon();
  }

  function refreshSoon() {
    if (waiting || document.hidden) return;
    waiting = setTimeout(refresh, Math.max(80, busyUntil - Date.now()));
  }

  function refresh() {
    waiting = 0;
    const topics = stale;
    stale = new Set();
    const begun = Date.now();
    for (const part of document.querySelectorAll("[data-live]")) {
      const of = part.dataset.live.split(" ").filter((topic) => topics.has(topic));
      if (!of.length) continue;
      if (isPlaying(part)) { for (const topic of of) stale.add(topic); continue; } // what somebody listens to is not cut off
      busyUntil = begun + 1000;
      htmx.trigger(part, "live");
    }
  }

  const isPlaying = (part) => [...part.querySelectorAll("audio")].some((player) => !player.paused);
  for (const name of ["pause", "ended"]) document.addEventListener(name, () => { if (stale.size) refreshSoon(); }, true); // they do not bubble

  function connect() {
    if (source) source.close();
    source = new EventSource("/events");
    lastHeard = Date.now();
    for (const name of ["marks", "beat"]) source.addEventListener(name, heard);
    source.addEventListener("signed_out", () => location.reload());
    source.onerror = () => {
      shown(false);
      if (source.readyState === EventSource.CLOSED) setTimeout(connect, 5000); // refused: it does not try again by itself
    };
  }

  if (known && window.htmx) {
    connect();
    // A machine that slept finds its connection dead without being told.
    setInterval(() => { if (Date.now() - lastHeard > SILENCE_MS) { shown(false); connect(); } }, 5000);
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) return;
      if (Date.now() - lastHeard > SILENCE_MS) connect();
      if (stale.size) refreshSoon();
    });
    addEventListener("pagehide", () => source && source.close());
    addEventListener("pageshow", (event) => { if (event.persisted) { stale = new Set(Object.keys(known)); connect(); refreshSoon(); } });
  }

  // A part that is fetched again keeps what the person was doing in it: ticks, open folds, how far a recording was heard, the focus.
  let kept = null;
  document.addEventListener("htmx:beforeSwap", (event) => {
    const part = event.detail.target;
    const active = part.contains(document.activeElement) ? document.activeElement : null;
    kept = {
      ticks: new Set([...part.querySelectorAll("input[type=checkbox]:checked")].map((box) => box.name + "=" + box.value)),
      folds: new Set([...part.querySelectorAll("details[open][id]")].map((fold) => fold.id)),
      scrolls: [...part.querySelectorAll("[id].file, [id].scroll")].map((item) => [item.id, item.scrollTop, item.scrollLeft]),
      played: [...part.querySelectorAll("audio[id]")].filter((player) => player.currentTime).map((player) => [player.id, player.currentTime]),
      focus: active && active.id,
      id: part.id,
    };
    busyUntil = Math.max(busyUntil, Date.now() + 4 * (Date.now() - (event.detail.requestConfig ? event.detail.requestConfig.begun || Date.now() : Date.now())));
  });
  document.addEventListener("htmx:configRequest", (event) => { event.detail.begun = Date.now(); });
  document.addEventListener("htmx:afterSwap", () => {
    const part = kept && document.getElementById(kept.id);
    if (!part) return;
    for (const box of part.querySelectorAll("input[type=checkbox]")) if (kept.ticks.has(box.name + "=" + box.value)) box.checked = true;
    for (const id of kept.folds) { const fold = document.getElementById(id); if (fold) fold.open = true; }
    for (const [id, top, left] of kept.scrolls) { const item = document.getElementById(id); if (item) { item.scrollTop = top; item.scrollLeft = left; } }
    for (const [id, at] of kept.played) { const player = document.getElementById(id); if (player) player.currentTime = at; }
    const focus = kept.focus && document.getElementById(kept.focus);
    if (focus) focus.focus({ preventScroll: true });
    kept = null;
    counted();
  });
  document.addEventListener("htmx:sendError", () => { stale = new Set(Object.keys(known || {})); busyUntil = Date.now() + 5000; refreshSoon(); });

  // --- Forms ---------------------------------------------------------------------------------------------------------------
  document.addEventListener("change", (event) => {
    const item = event.target;
    if (item.matches("[data-submit]")) item.form.requestSubmit();
    if (item.matches("[data-all]")) for (const box of document.querySelectorAll(`input[name="${item.dataset.all}"]`)) box.checked = item.checked;
    if (item.matches("[data-shows]")) for (const part of document.querySelectorAll("[data-shown-for]")) part.hidden = !part.dataset.shownFor.split(" ").includes(item.value);
    counted();
  });

  // Long work: says so beside the button, and is not begun twice.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.dataset.busy || event.defaultPrevented) return;
    if (form.classList.contains("busy")) { event.preventDefault(); return; }
    form.classList.add("busy");
    form.setAttribute("aria-busy", "true");
    const note = document.createElement("p");
    note.className = "busy-note";
    note.setAttribute("role", "status");
    form.append(note);
    note.textContent = form.dataset.busy;
  });
  addEventListener("pageshow", () => { for (const form of document.querySelectorAll("form.busy")) idle(form); });

  function idle(form) {
    form.classList.remove("busy");
    form.removeAttribute("aria-busy");
    form.querySelector(".busy-note")?.remove();
  }

  function counted() {
    for (const bar of document.querySelectorAll("[data-count]")) {
      const many = document.querySelectorAll(`input[name="${bar.dataset.count}"]:checked`).length;
      bar.classList.toggle("some", many > 0);
      const number = bar.querySelector("[data-number]");
      if (number) number.textContent = many;
    }
  }
  counted();
  for (const item of document.querySelectorAll("[data-shows]")) item.dispatchEvent(new Event("change", { bubbles: true }));

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-print]");
    if (button) print();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && !/^(input|textarea|select)$/i.test(event.target.tagName)) {
      const search = document.querySelector("input[type=search]");
      if (search) { event.preventDefault(); search.focus(); }
    }
    if (event.key === "Escape") for (const menu of document.querySelectorAll("[data-menu][open]")) { menu.open = false; menu.querySelector("summary").focus(); }
  });
})();
