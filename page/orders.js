/** Pausing and resuming by a click: shows what holds, and gives orders with the token, which is kept until the page is closed. */
import { element } from './pipeline.js';

const byId = (id) => document.getElementById(id);
const EVERYTHING = '*';

export function openOrders() {
  let token = '';
  let wanted = null;
  let status = null;

  const offer = ({ order, table }) => {
    wanted = { order, table };
    const what = table ?? 'every table';
    byId('order-title').textContent = `${order === 'pause' ? 'Pause' : 'Resume'} ${what}`;
    byId('order-what').textContent =
      order === 'pause'
        ? 'The block in hand is finished and acknowledged, the place is kept, and nothing more is read until it is resumed, over restarts, too. What Kafka drops meanwhile (retention.ms) is lost.'
        : 'It reads on where it stopped.';
    byId('order-token').value = token;
    byId('order-said').textContent = '';
    byId('order-go').textContent = order === 'pause' ? 'Pause' : 'Resume';
    byId('order').showModal();
    (token === '' ? byId('order-token') : byId('order-go')).focus();
  };

  const give = async () => {
    const { order, table } = wanted;
    token = byId('order-token').value.trim();
    byId('order-go').disabled = true;
    byId('order-said').textContent = 'asking the service …';
    try {
      const response = await fetch(`/${order}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: JSON.stringify(table === null ? { all: true } : { table }),
      });
      const answer = await response.json().catch(() => null);
      if (response.ok) byId('order').close();
      else {
        if (response.status === 401) token = '';
        byId('order-said').textContent =
          response.status === 401
            ? 'That is not the token of this page (PAGE_TOKEN).'
            : (answer?.error?.message ?? `The service answered ${response.status}.`);
      }
    } catch {
      byId('order-said').textContent = 'The service does not answer.';
    } finally {
      byId('order-go').disabled = false;
    }
  };

  byId('order-form').addEventListener('submit', (event) => {
    event.preventDefault();
    void give();
  });
  byId('order-cancel').addEventListener('click', () => byId('order').close());
  byId('order-all').addEventListener('click', () =>
    offer({ order: status.paused.includes(EVERYTHING) ? 'resume' : 'pause', table: null }),
  );

  const isPaused = (table) => {
    const { paused, service } = status;
    // As topics are named for tables; a topic of several tables is told of above.
    return paused.includes(`${service.topicPrefix}.${table}`.replace(/[^A-Za-z0-9._-]/g, '_').slice(0, 249));
  };

  return {
    /** Called with each status. */
    follow(now) {
      status = now;
      const { paused, service } = now;
      const all = paused.includes(EVERYTHING);
      byId('order-all').hidden = service.orders === 'none';
      byId('order-all').textContent = all ? 'Resume all' : 'Pause all';
      byId('paused').hidden = paused.length === 0;
      byId('paused').textContent =
        `Paused: ${all ? 'everything' : paused.join(', ')}. The place is kept; what is not read waits in Kafka.`;
    },
    /** The cell of a table: a button where orders are taken, else a word where it holds. */
    cell(table) {
      const holds = isPaused(table) || status.paused.includes(EVERYTHING);
      const state = `${status.service.orders} ${holds} ${status.paused.includes(EVERYTHING)}`;
      return {
        state,
        make() {
          if (status.service.orders === 'none' || status.paused.includes(EVERYTHING))
            return element('span', { class: holds ? 'warn' : '' }, holds ? 'paused' : '');
          const order = holds ? 'resume' : 'pause';
          const words = holds ? 'Resume' : 'Pause';
          const button = element(
            'button',
            { type: 'button', class: 'small', 'aria-label': `${words} ${table}` },
            words,
          );
          button.addEventListener('click', () => offer({ order, table }));
          return button;
        },
      };
    },
  };
}
