// Comfort only: every page works without this file. Conventions, all by attribute:
//   [data-themes], [data-keys]  the switches of the footer, kept in localStorage
//   [data-search]               the field that the key / goes to: the page's own, else the one of the header
//   table[data-grid]            Enter: same column, next row (Shift+Enter: row before); on the last row it clicks
//                               [data-grid-add] beside the table; Ctrl+Enter sends the form;
//                               Alt+ArrowUp, Alt+ArrowDown click [data-move=up], [data-move=down] of the row
//   [data-drop]                 takes a dropped file into its file field
//   [data-announce]             its text is read out, unseen, after htmx put it on the page
//   .action-bar a[href^="#"]    a bar fixed at the bottom of a phone goes away while what it leads to is in view
//   builder.js has more keys, and the saving, of the quote builder
//   [data-focus]                gets the focus, its text selected, after htmx put it on the page
'use strict';
(() => {
  const root = document.documentElement;
  const store = {
    get(name) { try { return localStorage.getItem(name); } catch { return null; } },
    set(name, value) { try { localStorage.setItem(name, value); } catch { /* private window: for this page only */ } },
  };

  // Theme: set before the first paint; without a choice the system decides.
  const applyTheme = (theme) => {
    if (theme === 'light' || theme === 'dark') root.dataset.theme = theme;
    else delete root.dataset.theme;
  };
  applyTheme(store.get('theme'));
  root.classList.add('js');

  const wireFooter = () => {
    const themes = document.querySelector('[data-themes]');
    if (themes) {
      const current = themes.querySelector(`[value="${root.dataset.theme || 'system'}"]`);
      if (current) current.checked = true;
      themes.hidden = false;
      themes.addEventListener('change', (event) => {
        store.set('theme', event.target.value);
        applyTheme(event.target.value);
      });
    }
    const keys = document.querySelector('[data-keys]');
    const box = keys?.querySelector('input');
    if (box) {
      box.checked = store.get('keys') !== 'off';
      keys.hidden = !searchField();
      box.addEventListener('change', () => store.set('keys', box.checked ? 'on' : 'off'));
    }
  };

  const searchField = () => document.querySelector('main [data-search]') ?? document.querySelector('[data-search]');
  const isTyping = (element) => element.matches('input, textarea, select, [contenteditable]');

  const goToSearch = (event) => {
    if (event.key !== '/' || event.ctrlKey || event.metaKey || event.altKey) return;
    if (isTyping(event.target) || store.get('keys') === 'off') return;
    const field = searchField();
    if (!field) return;
    event.preventDefault();
    field.focus();
    field.select?.();
  };

  // The grid: the quote builder by keyboard.
  const controlsOf = (cell) => cell.querySelector('input:not([type=hidden]), select');
  const neighbour = (cell, step) => {
    const rows = [...cell.closest('table').tBodies].flatMap((body) => [...body.rows]);
    for (let at = rows.indexOf(cell.parentElement) + step; rows[at]; at += step) {
      const control = rows[at].cells[cell.cellIndex] && controlsOf(rows[at].cells[cell.cellIndex]);
      if (control) return control;
    }
    return null;
  };
  const gridKeys = (event) => {
    const cell = event.target.closest?.('table[data-grid] td, table[data-grid] th');
    if (!cell || event.isComposing) return;
    if (event.altKey && (event.key === 'ArrowUp' || event.key === 'ArrowDown')) {
      event.preventDefault();
      cell.parentElement.querySelector(`[data-move=${event.key === 'ArrowUp' ? 'up' : 'down'}]`)?.click();
    } else if (event.key === 'Enter' && event.target.matches('input, select')) {
      event.preventDefault();
      const form = event.target.form;
      if (event.ctrlKey || event.metaKey) { form?.requestSubmit(); return; }
      const next = neighbour(cell, event.shiftKey ? -1 : 1);
      if (next) { next.focus(); next.select?.(); }
      else if (!event.shiftKey) cell.closest('.table-wrap').parentElement.querySelector(':scope > p [data-grid-add]')?.click();
    }
  };

  // One click is one request. The server is safe without this; the person is not left wondering.
  const holdButtons = (event) => {
    const form = event.target;
    if (event.defaultPrevented || form.method !== 'post') return;
    if (form.dataset.sent) { event.preventDefault(); return; }
    form.dataset.sent = 'yes';
    event.submitter?.setAttribute('aria-busy', 'true');
    setTimeout(() => releaseButtons(form), 8000);
  };
  const releaseButtons = (form) => {
    delete form.dataset.sent;
    for (const busy of form.querySelectorAll('[aria-busy]')) busy.removeAttribute('aria-busy');
  };

  const drop = (event) => {
    const zone = event.target.closest?.('[data-drop]');
    if (!zone) return;
    event.preventDefault();
    zone.classList.toggle('is-over', event.type === 'dragover');
    const field = zone.querySelector('input[type=file]');
    if (event.type !== 'drop' || !field || !event.dataTransfer.files.length) return;
    field.files = event.dataTransfer.files;
    field.dispatchEvent(new Event('change', { bubbles: true }));
  };

  // A table wider than its place can be scrolled by keyboard.
  const wireTables = () => {
    for (const wrap of document.querySelectorAll('.table-wrap')) {
      if (wrap.scrollWidth > wrap.clientWidth + 1) wrap.tabIndex = 0;
      else wrap.removeAttribute('tabindex');
    }
  };

  const wireBar = () => {
    const link = document.querySelector('.page-actions.action-bar a[href^="#"]');
    const target = link && document.getElementById(link.hash.slice(1));
    if (!target) return;
    new IntersectionObserver(([seen]) => link.parentElement.classList.toggle('is-reached', seen.isIntersecting)).observe(target);
  };

  const afterSwap = () => {
    wireTables();
    for (const word of document.querySelectorAll('.drop-word')) word.hidden = false;
    const next = unseen('[data-error-summary], [data-focus]');
    next?.focus();
    next?.select?.();  // so that typing replaces the quantity of 1
  };
  // Each piece of news is told once, so that a later swap elsewhere does not take the focus away.
  const unseen = (selector) => {
    const found = [...document.querySelectorAll(selector)].find((element) => !element.dataset.seen);
    if (found) found.dataset.seen = 'yes';
    return found;
  };

  document.addEventListener('keydown', goToSearch);
  document.addEventListener('keydown', gridKeys);
  document.addEventListener('submit', holdButtons);
  for (const type of ['dragover', 'dragleave', 'drop']) document.addEventListener(type, drop);
  document.addEventListener('DOMContentLoaded', () => { wireFooter(); wireBar(); afterSwap(); });
  document.addEventListener('htmx:after:swap', () => {
    afterSwap();
    const news = unseen('[data-announce]');
    if (news) document.getElementById('news').textContent = news.textContent;
  });
  addEventListener('resize', wireTables);
  addEventListener('pageshow', () => document.querySelectorAll('form[data-sent]').forEach(releaseButtons));
})();
