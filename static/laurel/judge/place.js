// Where this page stands: whose it is, and the addresses and words its templates give it.
const notices = document.getElementById("notices");

export const place = notices ? { ...notices.dataset } : {};
export const notice = (name) => notices?.querySelector(`[data-notice=${name}]`);
export const toast = (text) => { if (text) window.laurel?.toast(text); };

export function announce(text) {
  const box = document.getElementById("announce");
  if (box && text) box.textContent = text;
}

// crypto.randomUUID exists on https and localhost only.
export function freshKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

// localStorage, and a plain memory where the browser refuses it: then leaving the page would lose something.
const memory = new Map();
export const store = {
  get(key) {
    try { return JSON.parse(memory.get(key) ?? localStorage.getItem(key)); } catch { return null; }
  },
  set(key, value) {
    const text = JSON.stringify(value);
    try { localStorage.setItem(key, text); memory.delete(key); } catch { memory.set(key, text); }
  },
  remove(key) {
    memory.delete(key);
    try { localStorage.removeItem(key); } catch { /* it is not there */ }
  },
  keys(prefix) {
    let kept = [];
    try { kept = Object.keys(localStorage); } catch { /* none */ }
    return [...new Set([...kept, ...memory.keys()])].filter((key) => key.startsWith(prefix));
  },
  onlyInMemory: (prefix) => [...memory.keys()].some((key) => key.startsWith(prefix)),
};
