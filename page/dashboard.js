/** The demo's dashboard: asks every five seconds, draws what it hears, and keeps calm when it hears nothing. */
import { element, clock, ago, whole } from './pipeline.js';
import { followTheme } from './theme.js';
import { openCharts } from './dashboard-charts.js';
import { showReconciliation } from './reconciliation.js';

const EVERY_MS = 5000;
/** A warehouse with fewer pieces of an item than this runs low. */
const LOW = 20;
/** At the first look only a change that is so new counts: an older one has been there before this page was. */
const FIRST_MS = 10_000;

const byId = (id) => document.getElementById(id);
const charts = openCharts();
const money = new Intl.NumberFormat('en-GB', { minimumFractionDigits: 2, maximumFractionDigits: 2 });
let awaySince = null;
let newest = null;
let readAt = null;
let loading = false;

async function ask(path) {
  const response = await fetch(path, { headers: { accept: 'application/json' } });
  const answer = await response.json().catch(() => null);
  if (response.ok && answer !== null) return answer;
  const error = new Error(answer?.error?.message ?? `The service answered ${response.status}.`);
  error.code = answer?.error?.code ?? null;
  throw error;
}

async function load() {
  if (loading) return;
  loading = true;
  const hours = byId('hours').value;
  try {
    const { ageMs, answer } = await ask(`/dashboard.json?hours=${hours}`);
    const received = performance.now();
    back();
    show(answer);
    requestAnimationFrame(() => showFreshness(answer, ageMs + performance.now() - received));
    if (answer.tables.includes('user_logins')) showReconciliation((await ask('/reconciliation.json')).answer);
  } catch (error) {
    if (error.code === 'VALUES_WITHHELD') withheld(error.message);
    else away(error);
  } finally {
    loading = false;
  }
  // Another period was chosen meanwhile.
  if (hours !== byId('hours').value) void load();
}

function show({ at, tables, sales, stock, logins }) {
  readAt = at;
  const none = tables.length === 0;
  byId('nothing').hidden = !none;
  if (none) {
    byId('nothing-why').textContent =
      "The demo's tables are not in ClickHouse: this dashboard shows user_logins, sales and stock_movements. A terminal in the project's folder fills them:";
    byId('nothing-command').textContent = 'make generate';
  }
  byId('tiles').hidden = none;
  byId('fresh').hidden = none;
  byId('sales').hidden = sales === null;
  byId('stock').hidden = stock === null;
  byId('logins').hidden = logins === null;
  byId('reconciliation').hidden = logins === null;
  byId('read').textContent = `read from ClickHouse at ${clock(at)}, every 5 s`;
  if (sales !== null) showSales(sales);
  if (stock !== null) showStock(stock);
  if (logins !== null) showLogins(logins, at);
}

function showSales({ total, byCategory, byRegion, byHour }) {
  set('revenue', money.format(total.revenue));
  set('revenue-note', byId('hours').selectedOptions[0].textContent);
  set('sales-count', whole(total.sales));
  set('sales-note', `${whole(total.pieces)} pieces`);
  charts.hours(byHour);
  bars(
    'categories',
    byCategory.map(({ category, revenue }) => ({ name: category, value: Number(revenue) })),
  );
  bars(
    'regions',
    byRegion.map(({ region, revenue }) => ({ name: region ?? 'none', value: Number(revenue) })),
  );
}

/** The longest bar is the whole width. */
function bars(id, rows, figure = (value) => money.format(value)) {
  const most = Math.max(1, ...rows.map(({ value }) => value));
  const items = rows.map(({ name, value, note }) =>
    element(
      'li',
      {},
      element('span', { class: 'name', title: name }, name),
      bar(value / most),
      element('span', { class: 'figure' }, note ?? figure(value)),
    ),
  );
  byId(id).replaceChildren(...(items.length > 0 ? items : [element('li', { class: 'quiet' }, 'none')]));
}

function bar(share) {
  const inner = element('i', {});
  inner.style.width = `${Math.round(Math.max(0, share) * 1000) / 10}%`;
  return element('span', { class: 'bar', 'aria-hidden': 'true' }, inner);
}

function showStock(places) {
  const items = new Map();
  for (const { product, category, warehouse, pieces, came, went } of places) {
    const item = items.get(product) ?? { product, category, pieces: 0, came: 0, went: 0, places: [] };
    item.pieces += pieces;
    item.came += came;
    item.went += went;
    item.places.push({ warehouse, pieces, isLow: pieces < LOW });
    items.set(product, item);
  }
  const all = [...items.values()];
  const low = all.flatMap((item) => item.places.filter(({ isLow }) => isLow).map((place) => ({ ...item, ...place })));
  low.sort((a, b) => a.pieces - b.pieces);
  set('low-count', whole(low.length));
  byId('low-count').classList.toggle('warn', low.length > 0);
  set('low-note', `fewer than ${LOW} pieces in a warehouse`);
  const named = low
    .slice(0, 6)
    .map(({ product, warehouse, pieces }) => `item ${product} in ${warehouse} (${whole(pieces)})`);
  const more = low.length > named.length ? ` and ${whole(low.length - named.length)} more` : '';
  set('low', low.length === 0 ? 'Nothing runs low.' : `Running low: ${named.join(', ')}${more}.`);
  byId('low').classList.toggle('warn', low.length > 0);
  const most = Math.max(1, ...all.map(({ pieces }) => pieces));
  byId('items').replaceChildren(...all.map((item) => itemRow(item, most)));
}

function itemRow({ product, category, pieces, came, went, places }, most) {
  const isLow = places.some((place) => place.isLow);
  const name = category === null ? `item ${product}` : `item ${product}, ${category}`;
  const warehouses = places.flatMap((place, index) => [
    index > 0 ? ' · ' : '',
    element('span', place.isLow ? { class: 'low' } : {}, `${place.warehouse} ${whole(place.pieces)}`),
  ]);
  return element(
    'tr',
    isLow ? { class: 'is-low' } : {},
    element('th', { scope: 'row' }, name, isLow ? element('span', { class: 'unseen' }, ' (runs low)') : ''),
    element('td', { class: 'number' }, whole(pieces)),
    element('td', { class: 'wide' }, bar(pieces / most)),
    element('td', { class: 'number' }, whole(came)),
    element('td', { class: 'number' }, whole(went)),
    element('td', {}, ...warehouses),
  );
}

function showLogins({ perMinute, users }, at) {
  charts.minutes(perMinute, at);
  bars(
    'users',
    users.map(({ username, events, purchases }) => ({
      name: username,
      value: events,
      note: `${whole(events)} · ${whole(purchases)} bought`,
    })),
  );
}

/** Of a change that was not there at the look before; `sinceMs`: since the answer was made. */
function showFreshness({ at, newestCommitAt }, sinceMs) {
  if (newestCommitAt === null) return;
  const isNew = newest === null ? at - newestCommitAt < FIRST_MS : newestCommitAt > newest;
  newest = newestCommitAt;
  if (!isNew) {
    set('screen-note', `no new change since ${clock(newestCommitAt)}`);
    return;
  }
  const ms = Math.max(0, at - newestCommitAt + sinceMs);
  set('screen', ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`);
  set('screen-note', `the newest change, of ${clock(newestCommitAt)}`);
  charts.fresh(ms);
}

function set(id, text) {
  const at = byId(id);
  if (at.textContent !== text) at.textContent = text;
}

function withheld(message) {
  back();
  for (const id of ['tiles', 'sales', 'stock', 'logins', 'fresh', 'reconciliation']) byId(id).hidden = true;
  byId('nothing').hidden = false;
  set('nothing-why', `${message} This page is made of values, so it shows none here. The demo shows them:`);
  set('nothing-command', 'make demo');
  set('read', 'values are withheld');
}

function away(error) {
  awaySince ??= Date.now();
  const seen = readAt === null ? '' : ` What you see was read at ${clock(readAt)}.`;
  const what = error.code ? `${error.message} (${error.code})` : 'The service does not answer.';
  byId('away').textContent =
    `${what} Since ${clock(awaySince)} (${ago(Date.now() - awaySince)}).${seen} This page tries again by itself.`;
  byId('away').hidden = false;
  document.body.classList.add('is-away');
  pill('no answer', 'bad');
}

function back() {
  awaySince = null;
  document.body.classList.remove('is-away');
  byId('away').hidden = true;
  pill('live', 'good');
}

function pill(text, kind) {
  set('state', text);
  byId('state').className = `pill ${kind}`;
}

followTheme(() => charts.recolour());
byId('hours').addEventListener('change', () => void load());
void load();
setInterval(() => {
  // A page that nobody sees costs the service nothing.
  if (!document.hidden) void load();
}, EVERY_MS);
document.addEventListener('visibilitychange', () => {
  if (!document.hidden) void load();
});
