// The quote builder's comfort: it saves itself, and some keys. Everything works without this file.
//   form[data-autosave]     is sent to that address AFTER ms after the last change; the answer is JSON with the words
//                           for #save-state and, when saved, the new version and the ids of the lines
//   form[data-unsaved]      shows what is not saved yet
//   [data-keys-help]        the list of keys, opened by ?
'use strict';
(() => {
  const AFTER = 4000;
  const AGAIN = 15000;
  const form = document.querySelector('form[data-autosave]');
  if (!form) return;
  const state = document.getElementById('save-state');
  const conflict = document.getElementById('save-conflict');
  let unsaved = form.hasAttribute('data-unsaved');
  let changes = 0;   // grows with each change, so that a save knows whether more was typed while it was under way
  let shapes = 0;    // grows when rows change places
  let running = null;
  let timer = 0;
  let isMoving = false;
  let isLeaving = false;
  let isStopped = false;

  const say = (words, isNews) => {
    state.textContent = words;
    const news = document.getElementById('news');
    if (isNews && news && news.textContent !== words) news.textContent = words;
  };
  const changed = () => {
    if (isStopped) return;
    unsaved = true;
    changes += 1;
    clearTimeout(timer);
    timer = setTimeout(save, AFTER);
  };

  const ask = async () => {
    const answer = await fetch(form.dataset.autosave, { method: 'POST', body: new FormData(form), headers: { Accept: 'application/json' } });
    if (!answer.headers.get('Content-Type')?.includes('json')) {
      return answer.redirected ? { state: 'signed out', words: 'Not saved: you are signed out. Sign in in another tab, then go on here.' }
        : { state: 'unsaved', words: answer.status === 400 ? 'Not saved: this page was open too long. Press Save.' : 'Not saved: something went wrong. Press Save to see what.' };
    }
    return answer.json();
  };
  const save = async (isAsked) => {
    clearTimeout(timer);
    if (running) await running;
    if (isStopped) return;
    const at = changes;
    const shape = shapes;
    running = ask().catch(() => ({ state: 'again', words: 'Not saved: no connection. It is tried again.' }));
    const told = await running;
    running = null;
    if (told.state === 'saved') {
      form.elements.draft_version.value = told.draft_version;
      if (shape === shapes) {
        for (const [row, id] of Object.entries(told.lines)) {
          const field = form.elements[`lines-${row}-line_id`];
          if (field) field.value = id;
        }
      }
      if (at === changes) unsaved = false;
      else timer = setTimeout(save, AFTER);
    } else if (told.state === 'conflict') {
      isStopped = true;
      document.getElementById('save-conflict-words').textContent = told.words;
      conflict.hidden = false;
    } else if (told.state === 'again' || told.state === 'signed out') {
      timer = setTimeout(save, AGAIN);
    }
    if (isStopped) state.textContent = '';  // the notice says it
    else say(told.words, isAsked === true || told.state !== 'saved');
  };

  form.addEventListener('input', (event) => { if (event.target.name && event.target.name !== 'words') changed(); });
  document.addEventListener('click', (event) => {
    if (event.target.closest?.('[data-move]')) { isMoving = true; shapes += 1; }
  });
  document.addEventListener('htmx:after:swap', () => {
    if (isMoving) { isMoving = false; shapes += 1; changed(); }
  });
  form.addEventListener('submit', (event) => {
    clearTimeout(timer);
    if (running) {
      event.preventDefault();
      const button = event.submitter;
      running.then(() => setTimeout(() => form.requestSubmit(button)));
      return;
    }
    isLeaving = true;
  });
  addEventListener('pageshow', () => { isLeaving = false; });
  addEventListener('beforeunload', (event) => { if (unsaved && !isLeaving) event.preventDefault(); });
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'hidden' && unsaved && !isLeaving) save();
  });

  const isOn = () => { try { return localStorage.getItem('keys') !== 'off'; } catch { return true; } };
  document.addEventListener('keydown', (event) => {
    const isPlain = !event.ctrlKey && !event.metaKey && !event.altKey;
    if ((event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === 's') {
      event.preventDefault();
      save(true);
    } else if (event.altKey && (event.key === 'Delete' || event.key === 'Backspace')) {
      const box = event.target.closest?.('#draft-grid tr')?.querySelector('[name$="-remove"]');
      if (!box) return;
      event.preventDefault();
      box.click();
      say(`Line ${box.closest('tr').rowIndex} ${box.checked ? 'will be removed' : 'stays'}.`, true);
    } else if (isPlain && event.key === '?' && isOn() && !event.target.matches('input, textarea, select')) {
      const help = document.querySelector('[data-keys-help]');
      if (!help) return;
      event.preventDefault();
      help.open = true;
      help.querySelector('summary').focus();
    }
  });
  // The switch of the footer is for both keys here.
  addEventListener('DOMContentLoaded', () => {
    const words = document.querySelector('[data-keys] span');
    if (words) words.append(', ? lists the keys');
  });
  if (unsaved) changed();
})();
