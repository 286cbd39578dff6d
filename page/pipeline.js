/** The pipeline as a picture with live figures, and the words that the page has in common. */

const whole0 = new Intl.NumberFormat('en-GB');

export function whole(value) {
  return whole0.format(value);
}

/** Makes an element; text is set as text, so nothing of a row is ever read as HTML. */
export function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

export function clock(ms) {
  return new Date(ms).toLocaleTimeString('en-GB');
}

/** A length of time in the unit a person would take. */
export function ago(ms) {
  const s = Math.max(0, ms) / 1000;
  if (s < 1) return 'under 1 s';
  if (s < 120) return `${Math.round(s)} s`;
  if (s < 7200) return `${Math.round(s / 60)} min`;
  return s < 172800 ? `${Math.round(s / 3600)} h` : `${Math.round(s / 86400)} d`;
}

export function bytes(count) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = count;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${value < 10 && unit > 0 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

export function milliseconds(ms) {
  if (ms === null) return '–';
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(ms < 10000 ? 1 : 0)} s`;
}

const STAGES = [
  { name: 'PostgreSQL', shown: 'PostgreSQL', figures: postgres },
  { name: 'Kafka', shown: 'Debezium and Kafka', figures: kafka },
  { name: 'service', shown: 'This service', figures: service },
  { name: 'ClickHouse', shown: 'ClickHouse', figures: clickhouse },
];

const made = new Map();

export function showPipeline(status) {
  for (const stage of STAGES) {
    const card = made.get(stage.name) ?? newCard(stage);
    const { main, unit, rows } = stage.figures(status);
    const isSlow = status.slow.stage === stage.name;
    card.item.classList.toggle('is-slow', isSlow);
    card.badge.hidden = !isSlow;
    card.main.replaceChildren(main, ' ', element('small', {}, unit));
    card.list.replaceChildren(...rows.flatMap(([term, value]) => [element('dt', {}, term), element('dd', {}, value)]));
  }
  const slow = document.getElementById('slow');
  const { stage, why } = status.slow;
  const text = stage === null ? 'Nothing is slow: every part keeps up.' : `What is slow now: ${why}.`;
  if (slow.textContent !== text) slow.textContent = text;
  slow.classList.toggle('warn', stage !== null);
}

function newCard({ name, shown }) {
  const badge = element('span', { class: 'badge' }, 'slow');
  const main = element('p', { class: 'main' });
  const list = element('dl', {});
  const item = element('li', { class: 'stage' }, element('h3', {}, shown, badge), main, list);
  document.getElementById('stages').append(item);
  const card = { item, badge, main, list };
  made.set(name, card);
  return card;
}

function postgres({ source, at }) {
  const { newestCommitAt, lsn, walHeldBytes, walReason, slotActive } = source;
  return {
    main: newestCommitAt === null ? '–' : ago(at - newestCommitAt),
    unit: newestCommitAt === null ? 'no change in this run' : 'since the newest commit read',
    rows: [
      ['WAL position', lsn ?? '–'],
      [
        'WAL held by the slot',
        walHeldBytes === null ? `unknown${walReason ? `: ${walReason}` : ''}` : bytes(walHeldBytes),
      ],
      ['Slot', slotActive === null ? 'unknown' : slotActive ? 'read by the connector' : 'not read now'],
    ],
  };
}

function kafka({ lag, partitions }) {
  const known = lag.records !== null;
  return {
    main: known ? whole(lag.records) : '–',
    unit: known ? 'records wait' : 'lag not known yet',
    rows: [
      ['Oldest that waits', lag.seconds === 0 ? 'none' : ago(lag.seconds * 1000)],
      ['Partitions here', whole(partitions.length)],
      ['Furthest behind', furthest(partitions)],
    ],
  };
}

function furthest(partitions) {
  const [most] = [...partitions].filter(({ lag }) => lag > 0).sort((a, b) => b.lag - a.lag);
  if (most === undefined) return 'none';
  const name = most.topic.split('.').slice(-1)[0];
  return `${name}:${most.partition} by ${whole(most.lag)}`;
}

function service({ rates, lastBlock, totals }) {
  return {
    main: rates.changes < 10 ? rates.changes.toFixed(1) : whole(Math.round(rates.changes)),
    unit: 'changes each second',
    rows: [
      [
        'Last block',
        lastBlock === null
          ? '–'
          : `${whole(lastBlock.rows)} ${lastBlock.rows === 1 ? 'row' : 'rows'}, ${bytes(lastBlock.bytes)}`,
      ],
      ['Its age when cut', lastBlock === null ? '–' : milliseconds(lastBlock.waitedMs)],
      ['Written in this run', whole(totals.changes)],
    ],
  };
}

function clickhouse({ latency, lastBlock, totals }) {
  return {
    main: milliseconds(latency.p50),
    unit: latency.p50 === null ? 'nothing in the last minute' : 'from commit to visible, median',
    rows: [
      ['95 % · 99 %', `${milliseconds(latency.p95)} · ${milliseconds(latency.p99)}`],
      ['Inserts of the last block', lastBlock === null ? '–' : milliseconds(lastBlock.insertMs)],
      ['Repeated attempts', whole(totals.retries)],
    ],
  };
}
