/** The live page: follows /events, shows what it hears, and says since when it hears nothing. */
import { element, clock, ago, whole } from './pipeline.js';
import { showPipeline } from './pipeline.js';
import { openChanges } from './changes.js';
import { openCharts } from './charts.js';
import { openOrders } from './orders.js';
import { followTheme } from './theme.js';

const RECONNECT_MS = 2000;
/** A status comes each second; without one for so long the connection is dead, whatever the browser thinks. */
const SILENCE_MS = 5000;
/** Where one of these is, the demo's dashboard has something to show. */
const DEMO = new Set(['public.user_logins', 'public.sales', 'public.stock_movements']);

const byId = (id) => document.getElementById(id);
const changes = openChanges();
const charts = openCharts();
const orders = openOrders();
let source = null;
let last = null;
let lastAt = 0;
let awaySince = null;
let reconnect = null;

function connect() {
  clearTimeout(reconnect);
  source?.close();
  lastAt = performance.now();
  source = new EventSource('/events');
  source.addEventListener('status', ({ data }) => {
    lastAt = performance.now();
    back();
    show(JSON.parse(data));
  });
  source.addEventListener('error', () => {
    away();
    // After an answer that is no stream the browser gives up; we do not.
    if (source.readyState === EventSource.CLOSED) reconnect = setTimeout(connect, RECONNECT_MS);
  });
}

function away() {
  awaySince ??= Date.now();
  tellAway();
}

function tellAway() {
  if (awaySince === null) return;
  document.body.classList.add('is-away');
  const seen = last === null ? '' : ' What you see is from then.';
  byId('away').textContent =
    `The service has not answered since ${clock(awaySince)} (${ago(Date.now() - awaySince)}).${seen} This page tries again by itself.`;
  byId('away').hidden = false;
  pill('no answer', 'bad');
}

function back() {
  if (awaySince === null) return;
  awaySince = null;
  document.body.classList.remove('is-away');
  byId('away').hidden = true;
  void charts.reload();
  changes.reload();
}

function pill(text, kind) {
  const state = byId('state');
  if (state.textContent !== text) state.textContent = text;
  state.className = `pill ${kind}`;
}

function show(status) {
  const first = last === null || last.startedAt !== status.startedAt;
  last = status;
  const { service, state } = status;
  byId('service').textContent =
    `${service.topicPrefix}.* as ${service.groupId} into ${service.database} · ${service.release}`;
  pill(state, state === 'reading' ? 'good' : 'warn');
  byId('dashboard-link').hidden = service.values === 'withheld' || !status.tables.some(({ table }) => DEMO.has(table));
  showPipeline(status);
  orders.follow(status);
  showTables(status);
  showMessages(status);
  charts.add(status, first);
  changes.follow(status);
}

const tableRows = new Map();

function showTables({ tables, at, leftOut }) {
  const body = byId('table-rows');
  const names = new Set(tables.map(({ table }) => table));
  for (const [name, { row }] of tableRows) {
    if (names.has(name)) continue;
    row.remove();
    tableRows.delete(name);
  }
  const sorted = [...tables].sort((a, b) => (a.table < b.table ? -1 : 1));
  sorted.forEach((table, index) => {
    const known = tableRows.get(table.table) ?? newTableRow(table.table);
    fillTableRow(known, table, at);
    if (body.children[index] !== known.row) body.insertBefore(known.row, body.children[index] ?? null);
  });
  const none = tables.length === 0 ? 'No table yet: the first change or snapshot makes its mirror.' : '';
  byId('tables-note').textContent = leftOut > 0 ? `${whole(leftOut)} more are counted, and not listed.` : none;
}

function newTableRow(table) {
  const link = element('button', { type: 'button', class: 'link', title: 'show its changes' }, table);
  link.addEventListener('click', () => changes.only(table));
  const cells = Array.from({ length: 10 }, (_, index) => element('td', index < 8 ? { class: 'number' } : {}));
  const row = element('tr', {}, element('th', { scope: 'row' }, link), ...cells);
  row.firstChild.className = 'name';
  const made = { row, cells };
  tableRows.set(table, made);
  return made;
}

function fillTableRow({ row, cells }, table, at) {
  const { perSecond, modes } = table;
  const rows = table.rows === null ? (table.mirrored ? '…' : 'not mirrored') : whole(table.rows);
  const texts = [
    rows,
    ...[perSecond.c, perSecond.u, perSecond.d, perSecond.r].map(rate),
    ...[modes.append, modes.merge, modes.reconcile].map(whole),
    table.lastChangeAt === null ? 'not in this run' : `${ago(at - table.lastChangeAt)} ago`,
  ];
  texts.forEach((text, index) => {
    if (cells[index].textContent !== text) cells[index].replaceChildren(zero(text));
  });
  const order = orders.cell(table.table);
  const cell = cells.at(-1);
  // A button that is pressed or has the focus stays the same one.
  if (cell.dataset.state !== order.state) {
    cell.dataset.state = order.state;
    cell.replaceChildren(order.make());
  }
  row.title = table.notMirroredReason ?? '';
}

function rate(value) {
  return value === 0 ? '0' : value < 10 ? value.toFixed(1) : whole(Math.round(value));
}

/** A nought is there and does not shout. */
function zero(text) {
  return text === '0' ? element('span', { class: 'zero' }, text) : text;
}

let shownMessages = '';

function showMessages({ messages }) {
  const text = JSON.stringify(messages);
  if (text === shownMessages) return;
  shownMessages = text;
  const items = [...messages]
    .reverse()
    .map(({ at, level, message }) =>
      element('li', {}, element('time', {}, clock(at)), element('span', { class: level }, message)),
    );
  byId('message-list').replaceChildren(...items);
}

followTheme(() => charts.recolour());
connect();
setInterval(() => {
  if (document.hidden) return;
  if (awaySince === null && performance.now() - lastAt > SILENCE_MS) {
    away();
    connect();
  }
  tellAway();
}, 1000);
// A page that nobody sees costs the service nothing.
document.addEventListener('visibilitychange', () => {
  if (document.hidden) {
    source?.close();
    clearTimeout(reconnect);
  } else connect();
});
