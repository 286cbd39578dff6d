/**
 * Guards the speed of the way from a record's bytes to the columns of its rows. A machine that is busy or slow does not
 * fail it: the time is compared with that of a plain walk over the same bytes, in the same process, in turns.
 */
import { setFlagsFromString } from 'node:v8';
import { insertsOf, newGatherer } from '../../bench/blocks';
import { mirrorLayout, type MirrorLayout } from '../../src/clickhouse/mirror-layout';
import { keptChunk } from '../../src/delivery/kept-records';
import type { RecordChunk, SourceColumn } from '../../src/model';

// Optimised code comes from a thread of its own, late or never where others take the machine: here it is waited for.
setFlagsFromString('--no-concurrent-recompilation');

const ROWS = 4_000;
const ROUNDS = 25;

/**
 * How many times as long as the walk. Measured: 3.5 to 4.2 on an idle machine and on one with ten times more to do than
 * cores. One object for each value, or one more parse of each image, is beyond it.
 */
const MOST = 7;

const column = (name: string, type: string, base: string, notNull: boolean): SourceColumn => ({
  ...{ name, type, base, kind: 'b', modifier: base === 'numeric' ? ((12 << 16) | 2) + 4 : -1 },
  ...{ array: false, notNull, generated: false },
});

const LAYOUT = mirrorLayout({
  schema: 'public',
  name: 'orders',
  identity: 'full',
  key: ['id'],
  columns: [
    column('id', 'bigint', 'int8', true),
    column('customer', 'integer', 'int4', true),
    column('status', 'text', 'text', true),
    column('amount', 'numeric(12,2)', 'numeric', true),
    column('pieces', 'integer', 'int4', true),
    column('email', 'text', 'text', false),
    column('note', 'text', 'text', false),
    column('paid', 'boolean', 'bool', true),
    column('created', 'timestamp with time zone', 'timestamptz', true),
    column('updated', 'timestamp without time zone', 'timestamp', true),
  ],
}) as MirrorLayout;

function value(n: number): string {
  const row = (status: string): object => ({
    id: n,
    customer: (n * 7919) % 100_000,
    status,
    amount: `${n % 90_000}.${String(n % 100).padStart(2, '0')}`,
    pieces: 1 + (n % 9),
    email: n % 3 === 0 ? null : `c${n}@example.org`,
    note: n % 7 === 1 ? 'fragile, "care"' : n % 7 === 2 ? 'Grüße aus Köln' : null,
    paid: n % 2 === 0,
    created: '2026-01-01T07:21:24.026484Z',
    updated: 1767252084026484 + n,
  });
  const lsn = 38_515_000 + n * 56;
  const update = n % 10 >= 7;
  return JSON.stringify({
    before: update ? row('new') : null,
    after: row('paid'),
    source: {
      ...{
        version: '3.7.0.Final',
        connector: 'postgresql',
        name: 'shop',
        ts_ms: 1795261799517,
        snapshot: null,
        db: 'shop',
      },
      ...{ sequence: `["${lsn - 200}","${lsn}"]`, ts_us: 1795261799517491, ts_ns: 1795261799517491000 },
      ...{ schema: 'public', table: 'orders', txId: 797, lsn, xmin: null, origin: null, origin_lsn: null },
    },
    transaction: { id: `797:${lsn}`, total_order: n + 1, data_collection_order: n + 1 },
    op: update ? 'u' : 'c',
    ...{ ts_ms: 1795261802432, ts_us: 1795261802432471, ts_ns: 1795261802432471000 },
  });
}

const values = Array.from({ length: ROWS }, (_, n) => Buffer.from(value(n)));
const bytes = Buffer.concat(values);
const chunk: RecordChunk = keptChunk(
  { topic: 'shop.public.orders', partition: 0 },
  values.map((one, offset) => ({ offset, timestampMs: 0, key: null, value: one, headers: new Uint8Array(0) })),
);

const table = (name: string) => ({ database: 'shop_cdc', name, uuid: '00000000-0000-0000-0000-000000000000' });
const AT = { changes: table('changes'), mirror: table('orders__mirror'), layout: LAYOUT };

/** What the guard watches: envelopes opened, images copied, rows made. */
async function hotPath(gatherer: ReturnType<typeof newGatherer>): Promise<number> {
  gatherer.feed(chunk);
  const block = gatherer.takeOpen()!;
  const inserts = await insertsOf(block, chunk, AT);
  gatherer.release(block);
  return inserts.reduce((sum, { rowCount }) => sum + rowCount, 0);
}

/** What it is compared with: one look at each byte, and one branch. */
function walk(): number {
  let quotes = 0;
  for (let at = 0; at < bytes.length; at++) if (bytes[at] === 0x22) quotes++;
  return quotes;
}

function cpu(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

describe('the hot path', () => {
  it('takes no more than seven plain walks over the same bytes', async () => {
    const ratios: number[] = [];
    let rows = 0;
    for (let round = -5; round < ROUNDS; round++) {
      const gatherers = [newGatherer(), newGatherer(), newGatherer()];
      const first = cpu();
      for (const gatherer of gatherers) rows = await hotPath(gatherer);
      const second = cpu();
      let quotes = 0;
      for (let i = 0; i < 3; i++) quotes += walk();
      const third = cpu();
      expect(quotes).toBeGreaterThan(ROWS);
      if (round >= 0) ratios.push((second - first) / (third - second));
    }
    // Each change is a row of changes, and one or two of the mirror.
    expect(rows).toBe(ROWS + ROWS + ROWS * 0.3);
    // The quarter of the rounds that were disturbed least: on a loaded machine the compiler comes late.
    const quiet = ratios.sort((a, b) => a - b)[ROUNDS >> 2]!;
    if ((process.env['SHOW'] ?? '') !== '')
      process.stdout.write(`ratios: ${ratios.map((ratio) => ratio.toFixed(1)).join(' ')}\n`);
    expect(quiet).toBeLessThan(MOST);
  }, 60_000);
});
