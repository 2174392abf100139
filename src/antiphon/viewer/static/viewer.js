// Live rows, fragments, keys and copying. Every page works without it.
"use strict";

const one = (selector, root = document) => root.querySelector(selector);
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
let stream = null;
let selected = null;

// Times of the server are UTC; people read their own.
function localTimes(root) {
  for (const time of all("time[datetime]", root)) {
    const then = new Date(time.dateTime);
    const today = then.toDateString() === new Date().toDateString();
    const form = today ? { timeStyle: "medium" } : { dateStyle: "medium", timeStyle: "short" };
    time.textContent = new Intl.DateTimeFormat(undefined, form).format(then);
    time.title = then.toString();
  }
}

// Put the elements of a fragment in the places of those with their ids, and new ones first.
function take(html, into) {
  const fragment = document.createElement("template");
  fragment.innerHTML = html; // The server has escaped every text.
  localTimes(fragment.content);
  for (const element of [...fragment.content.children].reverse()) {
    const old = document.getElementById(element.id);
    if (old === null) {
      element.classList.add("fresh");
      into.prepend(element);
    } else if (old.outerHTML !== element.outerHTML) {
      if (old === selected) select(element);
      old.replaceWith(element);
    }
  }
  const most = Number(into.dataset.most || 0);
  while (most && into.children.length > most) into.lastElementChild.remove();
  const empty = one("[data-empty]");
  if (empty && into.children.length) empty.remove();
}

function listen() {
  if (stream) stream.close();
  stream = null;
  const into = one("[data-live]");
  if (!into) return;
  const sign = one(".live");
  stream = new EventSource(into.dataset.live);
  const mark = (on) => {
    if (!sign) return;
    sign.classList.toggle("on", on);
    sign.textContent = on ? "live" : "connecting";
  };
  stream.onopen = () => mark(true);
  stream.onerror = () => mark(false);
  stream.onmessage = (event) => take(JSON.parse(event.data), into);
  stream.addEventListener("end", () => {
    stream.close();
    if (into.hasAttribute("data-reload")) swap(location.href, false);
  });
}

// Replace the main part of the page by that of another address.
async function swap(address, push) {
  const answer = await fetch(address, { headers: { Accept: "text/html" } });
  if (!answer.ok || answer.redirected) {
    location.assign(address);
    return;
  }
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  one("#main").replaceWith(one("#main", page));
  document.title = page.title;
  if (push) history.pushState({}, "", address);
  begin();
}

function select(row) {
  if (selected) selected.classList.remove("selected");
  selected = row;
  if (row) {
    row.classList.add("selected");
    row.scrollIntoView({ block: "nearest" });
  }
}

function move(step) {
  const rows = all("[data-row]");
  const place = selected ? rows.indexOf(selected) + step : 0;
  if (rows[place]) select(rows[place]);
}

function pressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = event.target.matches("input, textarea, select");
  if (event.key === "Escape" && typing) event.target.blur();
  if (typing) return;
  const search = one("input[type=search]");
  if (event.key === "j") move(1);
  else if (event.key === "k") move(-1);
  else if (event.key === "Enter" && selected && event.target === document.body) one("a", selected)?.click();
  else if (event.key === "/" && search) {
    event.preventDefault();
    search.focus();
    search.select();
  }
}

async function clicked(event) {
  const copy = event.target.closest("[data-copy]");
  if (copy) {
    const text = one("pre", copy.parentElement);
    if (!navigator.clipboard) { // Browsers have it for HTTPS and for this machine only.
      getSelection().selectAllChildren(text);
      return;
    }
    await navigator.clipboard.writeText(text.textContent);
    copy.textContent = "Copied";
    setTimeout(() => (copy.textContent = "Copy"), 1500);
    return;
  }
  const link = event.target.closest("a[data-swap]");
  if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey && event.button === 0) {
    event.preventDefault();
    swap(link.href, true);
  }
}

function submitted(event) {
  const form = event.target.closest("form[data-swap]");
  if (!form) return;
  event.preventDefault();
  const given = [...new FormData(form)].filter(([, value]) => value !== "");
  swap(`${form.action}?${new URLSearchParams(given)}`, true);
}

function changed(event) {
  if (event.target.matches("form[data-swap] select, form[data-swap] [type=checkbox]")) {
    event.target.form.requestSubmit();
  }
}

function begin() {
  selected = null;
  localTimes(document);
  listen();
}

document.addEventListener("keydown", pressed);
document.addEventListener("click", clicked);
document.addEventListener("submit", submitted);
document.addEventListener("change", changed);
addEventListener("popstate", () => swap(location.href, false));
addEventListener("pagehide", () => stream && stream.close());
addEventListener("pageshow", (event) => event.persisted && listen());
begin();
