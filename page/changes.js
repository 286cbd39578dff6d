/** The feed of changes with old and new side by side, its filters, the history of one row, and the quarantine. */
import { element, ago, clock, whole } from './pipeline.js';

const OPS = { c: 'insert', u: 'update', d: 'delete', r: 'snapshot', t: 'truncate' };
const LEAST_MS = 900;
/** Answers are shared for a second, so the first may be from before what is new: it is asked for again until it cannot be. */
const ASK_AGAIN = 3;

const byId = (id) => document.getElementById(id);

export function openChanges() {
  let values = 'withheld';
  let counted = -1;
  let quarantined = -1;
  /** Records that the list shows, dealt with or not. */
  let kept = 0;
  let startedAt = null;
  let held = false;
  let loading = false;
  let dirty = false;
  let asks = 0;
  let quarantineAsks = 0;
  let loadedAt = 0;
  let shown = new Map();

  const filter = () => {
    const query = new URLSearchParams();
    for (const name of ['table', 'op', 'key']) {
      const { value } = byId(`filter-${name}`);
      if (value !== '') query.set(name, value);
    }
    return query.toString();
  };

  /** At most one question a second, and one under way; what changes meanwhile is asked for afterwards. */
  const load = async () => {
    if (loading || performance.now() - loadedAt < LEAST_MS) {
      dirty = true;
      return;
    }
    loading = true;
    dirty = false;
    loadedAt = performance.now();
    const asked = filter();
    try {
      const answer = await ask(`/changes.json?${asked}`);
      if (asked === filter()) list(answer.changes, asked);
    } catch (error) {
      byId('changes-note').textContent = error.message;
    } finally {
      loading = false;
    }
  };

  const list = (changes, asked) => {
    const before = shown;
    shown = new Map();
    const isFirst = before.size === 0;
    const items = changes.map((change) => {
      const place = `${change.topic}:${change.partition}:${change.offset}`;
      const item = before.get(place) ?? changeItem(change, { isNew: !isFirst, onHistory: history });
      shown.set(place, item);
      return item;
    });
    byId('change-list').replaceChildren(...items);
    const none =
      asked === ''
        ? 'No change yet. Change a row in PostgreSQL: it appears here within a second.'
        : 'No change fits the filter.';
    const hidden = 'Keys and values are withheld by the server; PAGE_VALUES=true shows them.';
    byId('changes-note').textContent = changes.length === 0 ? none : values === 'withheld' ? hidden : '';
  };

  const history = async ({ table, key }) => {
    byId('history-key').textContent = `${table} ${key}`;
    byId('history-list').replaceChildren(element('li', {}, 'reading…'));
    byId('history').showModal();
    try {
      const answer = await ask(`/history.json?${new URLSearchParams({ table, key }).toString()}`);
      const items = answer.changes.map((change) => changeItem(change, { isNew: false, onHistory: null }));
      byId('history-list').replaceChildren(
        ...(items.length > 0 ? items : [element('li', {}, 'no change of this key')]),
      );
    } catch (error) {
      byId('history-list').replaceChildren(element('li', {}, error.message));
    }
  };

  const loadQuarantine = async () => {
    try {
      const { records } = await ask('/quarantine.json');
      byId('quarantine-list').replaceChildren(...records.map(quarantineItem));
      kept = records.length;
    } catch (error) {
      byId('quarantine-note').textContent = error.message;
    }
  };

  const showCounts = ({ open, doubtfulRows }) => {
    byId('quarantine-count').textContent = whole(open ?? kept);
    byId('quarantine-count').hidden = (open ?? kept) === 0;
    byId('quarantine-note').textContent =
      (open ?? kept) > 0
        ? `${plural(open ?? kept, 'record')} could not be decoded; the bytes are kept.` +
          (doubtfulRows > 0 ? ` ${plural(doubtfulRows, 'row')} in doubt.` : '')
        : kept > 0
          ? 'Everything was dealt with.'
          : 'Empty: every record could be decoded.';
  };

  const changed = () => {
    loadedAt = 0;
    shown = new Map();
    void load();
  };
  for (const id of ['filter-table', 'filter-op']) byId(id).addEventListener('change', changed);
  let typing = null;
  byId('filter-key').addEventListener('input', () => {
    clearTimeout(typing);
    typing = setTimeout(changed, 300);
  });
  byId('filter').addEventListener('submit', (event) => {
    event.preventDefault();
    changed();
  });
  byId('hold').addEventListener('click', () => {
    held = !held;
    byId('hold').setAttribute('aria-pressed', String(held));
    byId('hold').textContent = held ? 'Go on' : 'Hold';
    if (!held) void load();
  });
  byId('history-close').addEventListener('click', () => byId('history').close());

  return {
    /** Called with each status: asks for the changes when there are new ones. */
    follow(status) {
      values = status.service.values;
      byId('filter-key-label').hidden = values === 'withheld';
      offerTables(status.tables.map(({ table }) => table));
      const isNew = startedAt !== status.startedAt || counted !== status.totals.changes;
      if (startedAt !== status.startedAt || quarantined !== status.totals.quarantined) quarantineAsks = ASK_AGAIN;
      if (quarantineAsks > 0) {
        quarantineAsks--;
        void loadQuarantine();
      }
      showCounts(status.quarantine);
      startedAt = status.startedAt;
      counted = status.totals.changes;
      quarantined = status.totals.quarantined;
      if (isNew) asks = ASK_AGAIN;
      if (held || (asks === 0 && !dirty)) return;
      if (asks > 0) asks--;
      void load();
    },
    /** Shows the changes of one table. */
    only(table) {
      byId('filter-table').value = table;
      changed();
      byId('changes').scrollIntoView();
      byId('filter-table').focus({ preventScroll: true });
    },
    reload() {
      dirty = true;
      quarantined = -1;
    },
  };
}

async function ask(path) {
  const response = await fetch(path, { headers: { accept: 'application/json' } });
  const answer = await response.json().catch(() => null);
  if (response.ok && answer !== null) return answer;
  throw new Error(answer?.error?.message ?? `The service answered ${response.status}.`);
}

let offered = '';

function offerTables(tables) {
  const sorted = [...tables].sort();
  if (sorted.join('\n') === offered) return;
  offered = sorted.join('\n');
  const select = byId('filter-table');
  const { value } = select;
  const options = sorted.map((table) => element('option', { value: table }, table));
  select.replaceChildren(element('option', { value: '' }, 'all'), ...options);
  select.value = sorted.includes(value) ? value : '';
}

function changeItem(change, { isNew, onHistory }) {
  const { op, table, key, at, topic, partition, offset, columns, changed, redelivered } = change;
  const committed = new Date(at);
  const header = element(
    'header',
    {},
    element('span', { class: `op op-${op}` }, OPS[op] ?? op),
    element('strong', {}, table),
    element('span', { class: 'key mono' }, key ?? ''),
  );
  if (redelivered) header.append(element('span', { class: 'quiet' }, 'sent again, counts once'));
  if (columns === null && changed !== null)
    header.append(element('span', { class: 'quiet' }, `changed: ${changed.join(', ') || 'nothing'}`));
  const place = `${topic}:${partition}:${offset}`;
  header.append(
    element(
      'time',
      { class: 'when quiet', datetime: at, title: `committed ${at}, ${place}` },
      clock(committed.getTime()),
    ),
  );
  if (onHistory !== null && key !== null && key !== '') {
    const button = element('button', { type: 'button', 'aria-label': `History of ${table} ${key}` }, 'History');
    button.addEventListener('click', () => onHistory({ table, key }));
    header.append(button);
  }
  const item = element('li', { class: isNew ? 'change is-new' : 'change' }, header);
  if (columns !== null && columns.length > 0) item.append(sides(change));
  return item;
}

/** Old and new side by side; one side alone where the other is not there. */
function sides({ op, columns }) {
  const both = op === 'u' && columns.some(({ before }) => before !== null);
  const only = op === 'd' ? 'before' : 'after';
  const head = both ? ['Column', 'Old', 'New'] : ['Column', op === 'd' ? 'Was' : 'Is'];
  const rows = columns.map((column) =>
    element(
      'tr',
      column.changed ? { class: 'changed' } : {},
      element(
        'th',
        { scope: 'row' },
        column.name,
        column.changed ? element('span', { class: 'unseen' }, ' (changed)') : '',
      ),
      ...(both ? [cell(column.before), cell(column.after)] : [cell(column[only])]),
    ),
  );
  const table = element(
    'table',
    {},
    element('thead', {}, element('tr', {}, ...head.map((name) => element('th', { scope: 'col' }, name)))),
    element('tbody', {}, ...rows),
  );
  return element('div', { class: 'sides' }, table);
}

function plural(count, noun) {
  return `${whole(count)} ${noun}${count === 1 ? '' : 's'}`;
}

function cell(text) {
  return element('td', {}, text ?? '');
}

function quarantineItem(record) {
  const { at, code, message, table, column, topic, partition, offset, keyBytes, valueBytes, key, value } = record;
  const header = element(
    'header',
    {},
    element('span', { class: 'op op-d' }, code),
    element('strong', {}, [table, column].filter((part) => part !== '').join(' · ') || topic),
    element('span', { class: 'mono' }, `${topic}:${partition}:${offset}`),
    element('time', { class: 'when quiet', datetime: at }, `${ago(Date.now() - new Date(at).getTime())} ago`),
  );
  const sizes = `${message} Key ${whole(keyBytes)} bytes, value ${whole(valueBytes)} bytes.`;
  const item = element('li', { class: 'change' }, header, element('p', { class: 'quiet' }, sizes));
  for (const text of [key, value]) if (text) item.append(element('p', { class: 'mono' }, text));
  return item;
}
