/** The ids of user_logins in PostgreSQL and in ClickHouse, side by side. */
import { element, whole } from './pipeline.js';

const byId = (id) => document.getElementById(id);

export function showReconciliation(found) {
  const verdict = byId('verdict');
  if (found.reason !== undefined) {
    verdict.textContent = found.reason;
    verdict.className = 'slow warn';
    byId('reconciliation-rows').replaceChildren();
    return;
  }
  const { sourceRows, mirrorRows, doubled, arriving, leaving, missing, surplus } = found;
  const gaps = missing.count + surplus.count + doubled;
  const late = arriving.count + leaving.count;
  const waiting = late === 0 ? 'every id is on both sides' : `${whole(late)} on their way, the others on both sides`;
  verdict.textContent = gaps === 0 ? `No gap: ${waiting}.` : `${whole(gaps)} gaps: see below.`;
  verdict.className = gaps === 0 ? 'slow' : 'slow bad';
  byId('reconciliation-rows').replaceChildren(
    row('Rows', { source: whole(sourceRows), mirror: whole(mirrorRows), ids: '' }),
    row('On their way to ClickHouse', { source: whole(arriving.count), mirror: '–', ids: idsOf(arriving) }),
    row('Deleted, on the way out', { source: '–', mirror: whole(leaving.count), ids: idsOf(leaving) }),
    row('Gap: missing in ClickHouse', {
      source: whole(missing.count),
      mirror: '–',
      ids: idsOf(missing),
      isGap: missing.count > 0,
    }),
    row('Gap: gone from PostgreSQL only', {
      source: '–',
      mirror: whole(surplus.count),
      ids: idsOf(surplus),
      isGap: surplus.count > 0,
    }),
    row('Gap: rows beyond one for each id', { source: '–', mirror: whole(doubled), ids: '', isGap: doubled > 0 }),
  );
}

function idsOf({ count, ids }) {
  return `${ids.join(', ')}${count > ids.length ? ` and ${whole(count - ids.length)} more` : ''}`;
}

function row(name, { source, mirror, ids, isGap = false }) {
  return element(
    'tr',
    isGap ? { class: 'gap' } : {},
    element('th', { scope: 'row' }, name),
    element('td', { class: 'number' }, source),
    element('td', { class: 'number' }, mirror),
    element('td', { class: 'mono' }, ids),
  );
}
