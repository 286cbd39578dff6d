/** Kafka and ClickHouse in memory, as far as the delivery sees them through its ports; every call is written down in order. */
import { setTimeout as pause } from 'node:timers/promises';
import { FixedColumn } from '../../../src/clickhouse/column-fixed';
import type { Guard, GuardedInsert, TargetTable } from '../../../src/clickhouse/insert';
import { mirrorLayout, type MirrorLayout } from '../../../src/clickhouse/mirror-layout';
import { partitionKey } from '../../../src/clickhouse/look-ups';
import { compileTranscoder } from '../../../src/debezium/transcode';
import type { SchemaRef } from '../../../src/debezium/schema-header';
import { placeholderOf } from '../../../src/placeholder';
import { createSchemas } from '../../../src/delivery/schemas';
import type { DeliveryLimits, DeliveryPorts, MirroredTable, OpenTable } from '../../../src/delivery/ports';
import type { WantedRebuild } from '../../../src/delivery/rebuild-marks';
import { ServiceError } from '../../../src/errors';
import type { ServiceEvent } from '../../../src/events';
import type { Commit } from '../../../src/kafka/log';
import { DEFAULT_PLACEHOLDER, OP, type SourceColumn } from '../../../src/model';
import type { Filter } from '../../../src/pipeline';
import { NO_MARKS } from '../../../src/plan/marks';
import { MirrorRows } from '../../../src/plan/mirror-rows';
import { TOPIC } from './wire';

export const LIMITS: DeliveryLimits = {
  blockRows: 1000,
  blockBytes: 1 << 20,
  blockAgeMs: 1,
  guardSeconds: 30,
  insertSeconds: 20,
  idleCommitMs: 40,
  waitSeconds: 60,
  acceptLoss: false,
  mirrors: true,
  placeholder: placeholderOf(DEFAULT_PLACEHOLDER),
};

export const KEEP_ALL: Filter = { ops: new Set(Object.values(OP)), keeps: () => true, isSignal: () => false };

export const TARGET = 'a0000000-0000-0000-0000-000000000001';

export interface World {
  readonly ports: DeliveryPorts;
  /** What was called, in order: look-ups, commits and inserts. */
  readonly calls: string[];
  readonly events: ServiceEvent[];
  /** Inserts that were written, by token; repeats are not. */
  readonly written: Map<string, { readonly insert: GuardedInsert; readonly guard: Guard; readonly seconds: number }>;
  /** Offsets in `changes`. */
  readonly changes: Set<number>;
  /** Mirrors that were asked to be made anew. */
  readonly marks: WantedRebuild[];
  /** Mirrors that rows were written to. */
  readonly mirrored: Set<string>;
  /** Keys that only events have shown. */
  readonly learned: { readonly table: string; readonly key: readonly string[] }[];
  committed: { offset: number; metadata: string } | null;
  epoch: number;
  low: number;
  high: number;
  partitions: number;
  /** ClickHouse's clock and the service's own, ms. */
  clockMs: number;
  nowMs: number;
  changesUuid: string;
  wholeBefore: boolean;
  /** Reads images of earlier versions of every table. */
  earlier: MirroredTable['earlier'];
  /** How often each mirror was made anew; part of its UUID. */
  readonly renewed: Map<string, number>;
  canCommit: boolean;
  /** Whether tables are open as they are needed, so that a block may be prepared ahead. */
  tablesStand: boolean;
  /** What the registry answers. */
  onSchema: (ref: SchemaRef) => Promise<string | null>;
  /** Where the partition was started last; -1 while it is halted. */
  startedAt: number;
  /** Called before an insert or a commit takes effect; may throw, or change the world. */
  onInsert: (insert: GuardedInsert) => void | Promise<void>;
  onCommit: (commit: Commit) => void | Promise<void>;
}

export function refused(): ServiceError {
  return new ServiceError('GUARD_REFUSED', 'refused', { hint: '' });
}

export function away(code: 'CLICKHOUSE_UNREACHABLE' | 'KAFKA_REQUEST_FAILED'): ServiceError {
  return new ServiceError(code, 'no answer', { hint: '' });
}

export function createWorld(): World {
  const world: World = {
    calls: [],
    events: [],
    written: new Map(),
    changes: new Set(),
    marks: [],
    learned: [],
    mirrored: new Set(),
    committed: null,
    epoch: 1,
    low: 0,
    high: 1_000_000,
    partitions: 1,
    clockMs: 5_000_000,
    nowMs: 9_000_000,
    changesUuid: TARGET,
    wholeBefore: true,
    earlier: null,
    renewed: new Map(),
    canCommit: true,
    tablesStand: true,
    onSchema: async () => null,
    startedAt: -1,
    onInsert: () => undefined,
    onCommit: () => undefined,
    get ports() {
      return ports;
    },
  };
  const ports = portsOf(world);
  return world;
}

function portsOf(world: World): DeliveryPorts {
  const { calls } = world;
  const layout = layoutOf();
  const transcoder = compileTranscoder(layout);
  const openTable = (name: string): OpenTable => {
    const target = tableOf(`${name}__mirror`, `uuid ${world.renewed.get(name) ?? 0} of ${name}`);
    const mirrored: MirroredTable = {
      name: `public.${name}`,
      layout,
      readers: { of: () => transcoder },
      target,
      wholeBefore: world.wholeBefore,
      earlier: world.earlier,
    };
    return { mirrored, wire: async () => ({ id: { low: 1, high: 0 }, transcoder }) };
  };
  return {
    log: logOf(world),
    lookUps: lookUpsOf(world),
    schemas: createSchemas({
      fetch: (ref) => world.onSchema(ref),
      emit: (event) => void world.events.push(event),
      sleep: async () => undefined,
    }),
    marks: async () => NO_MARKS,
    tables: {
      lease: async () => {
        calls.push('lease');
        return () => void calls.push('release');
      },
      alone: (_, action) => action(),
      rebuild: async () => false,
      widen: async () => undefined,
      open: async ({ name }) => openTable(name),
      standing: async ({ name }) => (world.tablesStand ? openTable(name) : null),
      refresh: () => undefined,
      reopen: () => undefined,
      learnKey({ name }, key) {
        world.learned.push({ table: name, key });
        return Promise.resolve();
      },
      refill: async () => undefined,
      recheck: () => void calls.push('recheck'),
    },
    takeTable: async () => ({ release: async () => undefined }),
    createHolder: () => ({ look: async () => undefined, ended: async () => undefined }),
    revoke: async () => undefined,
    repairs: {
      announced: (_, __, repair) => repair(),
      signsOf: async () => new Map(),
      removeKeys: async () => undefined,
      removeStrays: async () => undefined,
    },
    rebuildMarks: {
      want: async (mark) => {
        world.marks.push(mark);
        return '';
      },
      list: async () => [],
      forget: async () => undefined,
    },
    glance: async () => ({
      clockMs: world.clockMs,
      tables: new Map(
        [tableOf('changes', world.changesUuid), tableOf('quarantine', 'q')].map((table) => [table.name, table]),
      ),
    }),
    forgetGlance: () => undefined,
    migrate: async () => void calls.push('migrate'),
    currentRows: async ({ target }, images, rows) => {
      calls.push('look: current rows');
      const standing = new MirrorRows(images.shape);
      // What was written stands: the truths of these tests are their blocks' own rows.
      if (world.mirrored.has(target.name)) for (const row of rows) standing.appendFrom(images, row);
      return standing;
    },
    insert: async (insert, guard, seconds) => {
      const [table = '', , , start = '', end = ''] = insert.token.split(':');
      calls.push(`insert ${table} [${start}, ${end})`);
      await world.onInsert(insert);
      if (world.written.has(insert.token)) return;
      world.written.set(insert.token, { insert: asSent(insert), guard, seconds });
      if (table === 'changes') for (const offset of offsetsOf(insert)) world.changes.add(offset);
      else world.mirrored.add(table);
    },
    removeBelow: async (table, _, below) => void calls.push(`remove of ${table.name} below ${below}`),
    emit: (event) => void world.events.push(event),
    now: () => world.nowMs,
    sleep: async (ms, signal) => {
      calls.push(`sleep ${ms}`);
      await pause(1, undefined, { signal });
    },
  };
}

function logOf(world: World): DeliveryPorts['log'] {
  const { calls } = world;
  return {
    subscribe: async () => undefined,
    start: (_, offset) => {
      calls.push(`start at ${offset}`);
      world.startedAt = offset;
    },
    halt: () => {
      calls.push('halt');
      world.startedAt = -1;
    },
    commit: async (epoch, commit) => {
      const { end } = JSON.parse(commit.metadata) as { end?: number };
      calls.push(end === undefined ? `acknowledge ${commit.offset}` : `announce [${commit.offset}, ${end})`);
      await world.onCommit(commit);
      if (epoch !== world.epoch) return 'fenced';
      world.committed = { offset: commit.offset, metadata: commit.metadata };
      return 'ok';
    },
    committed: async (partitions) =>
      partitions.map((of) => ({
        ...of,
        offset: world.committed?.offset ?? null,
        metadata: world.committed?.metadata ?? null,
      })),
    bounds: async (topic) =>
      Array.from({ length: world.partitions }, (_, partition) => ({
        topic,
        partition,
        low: world.low,
        high: world.high,
      })),
    offsetAt: async () => world.high,
    topics: async () => [TOPIC.topic],
    canCommit: () => world.canCommit,
    epoch: () => world.epoch,
    memberId: () => 'me',
    members: async () => null,
    stop: async () => undefined,
  };
}

function lookUpsOf({ calls, changes }: World): DeliveryPorts['lookUps'] {
  const highest = (): number => Math.max(-1, ...changes);
  return {
    highest: async ([of]) => new Map(of === undefined || changes.size === 0 ? [] : [[partitionKey(of), highest()]]),
    past: async () => ({ mark: null, snapshotRun: null, empty: changes.size === 0 }),
    present: async (_, start, end) => {
      calls.push(`look: present in [${start}, ${end})`);
      const within = [...changes].filter((offset) => offset >= start && offset < end);
      return { changes: new Set(within), quarantine: new Set<number>() };
    },
    eventsAt: async () => [],
    newest: async () => [],
    newestWith: async () => [],
    turns: async () => [],
    deletedAt: async () => null,
    rows: async () => [],
    truncations: async () => [],
    newestAnywhere: async () => [],
    whereabouts: async () => [],
    newestPages: async function* () {},
    newestRun: async () => null,
    countedPage: async () => [],
    keyEras: async () => [],
  };
}

/** As it went over the wire: the block's columns are filled again once it is written. */
function asSent(insert: GuardedInsert): GuardedInsert {
  const columns = insert.columns.map(({ name, column }) => {
    if (!(column instanceof FixedColumn)) return { name, column };
    const copy = new FixedColumn(column.type, column.width);
    for (let row = 0; row < column.rows; row++) copy.appendFrom(column, row);
    return { name, column: copy };
  });
  return { ...insert, columns };
}

/** The offsets that an insert into `changes` holds. */
export function offsetsOf(insert: GuardedInsert): number[] {
  const column = insert.columns.find(({ name }) => name === 'offset')?.column;
  if (!(column instanceof FixedColumn)) throw new TypeError('no column of offsets');
  return Array.from({ length: insert.rowCount }, (_, row) => column.numberAt(row));
}

function tableOf(name: string, uuid: string): TargetTable {
  return { database: 'cdc_cdc', name, uuid };
}

function layoutOf(): MirrorLayout {
  const column = (name: string, base: string, notNull: boolean): SourceColumn => ({
    ...{ name, base, notNull, type: base, kind: 'b', modifier: -1, array: false, generated: false },
  });
  const columns = [column('id', 'int8', true), column('note', 'text', false)];
  const layout = mirrorLayout({ schema: 'public', name: 'orders', identity: 'full', columns, key: ['id'] });
  if ('code' in layout) throw new Error(layout.code);
  return layout;
}

/** Waits until the condition holds; fails after two seconds. */
export async function until(condition: () => boolean): Promise<void> {
  for (let left = 400; !condition(); left--) {
    if (left === 0) throw new Error('it did not come to that');
    await pause(5);
  }
}
