// Keys, live numbers, theme. Everything here is extra: pages read and work without it.
(() => {
  "use strict";
  const root = document.documentElement;
  root.classList.add("js");
  const $ = (q, at = document) => at.querySelector(q);
  const $$ = (q, at = document) => [...at.querySelectorAll(q)];
  const store = { get: k => { try { return localStorage.getItem(k); } catch { return null; } }, set: (k, v) => { try { localStorage.setItem(k, v); } catch { /* private window */ } } };
  const theme = store.get("theme");
  if (theme) root.dataset.theme = theme;

  const ready = () => {
    $$("[data-theme-switch]").forEach(b => b.addEventListener("click", () => {
      const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
      root.dataset.theme = dark ? "light" : "dark";
      store.set("theme", root.dataset.theme);
    }));
    $$("[data-menu]").forEach(b => b.addEventListener("click", () => {
      const open = $(".side").classList.toggle("open");
      b.setAttribute("aria-expanded", String(open));
    }));
    $$("dialog [data-close]").forEach(b => b.addEventListener("click", () => b.closest("dialog").close()));
    $$("[data-copy]").forEach(b => b.addEventListener("click", async () => {
      await navigator.clipboard.writeText($(b.dataset.copy).innerText);
      b.textContent = "Copied";
    }));
    live();
  };

  // Sending a form twice is harmless (it carries a key), but say that it is under way.
  document.addEventListener("submit", e => {
    const button = e.submitter;
    if (button && button.dataset.busy && !e.defaultPrevented) {
      button.dataset.was = button.textContent;
      setTimeout(() => { button.disabled = true; button.textContent = button.dataset.busy; }, 0);
    }
  });
  addEventListener("pageshow", () => $$("button[data-was]").forEach(b => { b.disabled = false; b.textContent = b.dataset.was; }));

  // A file that is too large is told before it travels.
  document.addEventListener("change", e => {
    const most = e.target.dataset && Number(e.target.dataset.mbMax), file = most && e.target.files[0];
    if (!most) return;
    e.target.setCustomValidity(file && file.size > most * 1e6 ? `This file has ${(file.size / 1e6).toFixed(1)} MB, and at most ${most} MB can be sent. Split it into several files.` : "");
    e.target.reportValidity();
  });

  // A filter form follows its fields; the address is the state.
  document.addEventListener("change", e => {
    const form = e.target.closest && e.target.closest("form[data-auto]");
    if (form && e.target.type !== "search") form.requestSubmit();
  });

  // j k move, Enter opens, / searches, ? lists the keys, . is the page's main action.
  const rows = () => $$("tbody tr[data-href]").filter(r => r.offsetParent);
  let at = -1;
  const mark = n => {
    const all = rows();
    if (!all.length) return;
    at = Math.max(0, Math.min(all.length - 1, n));
    all.forEach((r, i) => r.setAttribute("aria-selected", String(i === at)));
    const row = all[at], link = $("a", row);
    if (link) link.focus({ preventScroll: true });
    row.scrollIntoView({ block: "nearest" });
  };
  document.addEventListener("keydown", e => {
    if (e.ctrlKey || e.metaKey || e.altKey) return;
    const field = e.target.matches && e.target.matches("input, select, textarea");
    if (field) {
      if (e.key === "Escape") e.target.blur();
      return;
    }
    if ($("dialog[open]")) return;
    const go = { w: "week", t: "timesheets", h: "holds", p: "pay", i: "invoices", m: "margin", c: "clients", b: "bureau", s: "system", u: "work", f: "imports" };
    if (e.key === "/") { const s = $("input[type=search]"); if (s) { e.preventDefault(); s.focus(); s.select(); } }
    else if (e.key === "j") { e.preventDefault(); mark(at + 1); }
    else if (e.key === "k") { e.preventDefault(); mark(at < 0 ? 0 : at - 1); }
    else if (e.key === "?") { e.preventDefault(); $("#keys").showModal(); }
    else if (e.key === ".") { const m = $(".head .main"); if (m) { e.preventDefault(); m.focus(); m.click(); } }
    else if (e.key === "g") { waiting = Date.now(); return; }
    else if (go[e.key] && Date.now() - waiting < 1200) { const a = $(`.side nav a[data-go=${go[e.key]}]`); if (a) location.assign(a.href); }
    waiting = 0;
  });
  let waiting = 0;

  // Nothing is redrawn under a reason: what it was written about stays on the screen, and goes with it, until it is sent.
  const written = el => $$("textarea", el).some(t => t.value || t === document.activeElement);
  document.addEventListener("htmx:beforeSwap", e => {
    const { requestConfig, target } = e.detail, by = requestConfig && requestConfig.triggeringEvent;
    if (by && by.type === "facts" && written(target)) e.detail.shouldSwap = false;
  });

  // Live numbers: only what changed moves; new rows wait behind a button.
  const live = () => {
    const box = $("[data-events]");
    if (!box || !window.EventSource) return;
    const words = $("[data-live-words]", box);
    const source = new EventSource(box.dataset.events);
    const state = (on, text) => { box.classList.toggle("on", on); box.classList.toggle("off", !on); if (words && text) words.textContent = text; };
    source.addEventListener("open", () => state(true));
    source.addEventListener("error", () => state(false, "Connection lost, trying again"));
    source.addEventListener("numbers", e => {
      const news = JSON.parse(e.data);
      state(true, news.words);
      for (const [key, text] of Object.entries(news.values)) {
        $$(`[data-live="${key}"]`).forEach(el => {
          if (el.textContent === text) return;
          el.textContent = text;
          el.classList.remove("flashed");
          void el.getBoundingClientRect();
          el.classList.add("flashed");
        });
      }
      const list = $("[data-total-key]"), fresh = $("#new-rows");
      if (list && fresh) {
        const more = Number(news.counts[list.dataset.totalKey]) - Number(list.dataset.total);
        if (more > 0) { fresh.hidden = false; fresh.textContent = `${more} new: show`; }
      }
      $$("[data-refresh-on]").forEach(el => { if (news.changed && window.htmx && !written(el)) window.htmx.trigger(el, "facts"); });
    });
    addEventListener("pagehide", () => source.close());
  };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", ready); else ready();
})();
