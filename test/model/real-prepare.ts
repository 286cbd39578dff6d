/** The service's own step 0 (`src/delivery/prepare.ts`) in the model's world: its look-ups are answered from there. */
import { FixedColumn } from '../../src/clickhouse/column-fixed';
import { StringColumn } from '../../src/clickhouse/column-string';
import type { GuardedInsert } from '../../src/clickhouse/insert';
import type { LookUps, PastEvent } from '../../src/clickhouse/look-ups';
import { mirrorLayout, type MirrorLayout } from '../../src/clickhouse/mirror-layout';
import type { TruthEvent } from '../../src/clickhouse/truth-event';
import { compileTranscoder, type Transcoder } from '../../src/debezium/transcode';
import { placeholderOf } from '../../src/placeholder';
import type { DeliveryLimits, DeliveryPorts, MirroredTable } from '../../src/delivery/ports';
import { prepareBlock } from '../../src/delivery/prepare';
import { DEFAULT_PLACEHOLDER, OP, type SourceColumn } from '../../src/model';
import { ChangeBlock } from '../../src/plan/change-block';
import { NO_MARKS } from '../../src/plan/marks';
import { MirrorRows } from '../../src/plan/mirror-rows';
import type { Truncation } from '../../src/plan/truncation';
import type { SignedRow } from './clickhouse';
import { ABSENT, keyText, pack, type Kafkalog } from './history';
import { gather, imageText, TABLE, type BlockContext, type Prepared } from './prepare';
import type { World } from './world';

const DATABASE = 'machinery';
const TOPIC = 'topic';

function column(name: string, base: string, type: string): SourceColumn {
  return { name, type, base, kind: 'b', modifier: -1, array: false, notNull: true, generated: false };
}

const LAYOUT = layoutOf(['k', 'int4', 'integer'], ['v', 'text', 'text'], ['w', 'text', 'text']);
const TRANSCODER: Transcoder = compileTranscoder(LAYOUT);

function layoutOf(...columns: [string, string, string][]): MirrorLayout {
  const named = columns.map(([name, base, type]) => column(name, base, type));
  const layout = mirrorLayout({ schema: TABLE.schema, name: TABLE.name, identity: 'full', columns: named, key: ['k'] });
  if ('code' in layout) throw new Error(layout.code);
  return layout;
}

const LIMITS: DeliveryLimits = {
  blockRows: 100,
  blockBytes: 1_000_000,
  blockAgeMs: 0,
  guardSeconds: 1,
  insertSeconds: 1,
  idleCommitMs: 0,
  waitSeconds: 1,
  acceptLoss: false,
  mirrors: true,
  placeholder: placeholderOf(DEFAULT_PLACEHOLDER),
};

/** Records of a partition that `changes` holds, in offset order, as the service reads them. */
class Lookups implements Pick<
  LookUps,
  'present' | 'eventsAt' | 'newest' | 'newestWith' | 'turns' | 'deletedAt' | 'truncations'
> {
  private readonly log: Kafkalog;
  private readonly count: Uint8Array;
  private readonly redelivered: Uint8Array;

  private readonly partition: number;

  constructor(world: World, partition: number) {
    this.partition = partition;
    this.log = world.history.logs[partition]!;
    ({ count: this.count, redelivered: this.redelivered } = world.clickhouse.changes.partitions[partition]!);
  }

  private records(keep: (at: number) => boolean): number[] {
    return this.log.key.flatMap((_, at) => (this.count[at]! > 0 && keep(at) ? [at] : []));
  }

  async present(_: unknown, start: number, end: number): Promise<{ changes: Set<number>; quarantine: Set<number> }> {
    const { offset } = this.log;
    const found = this.records((at) => offset[at]! >= start && offset[at]! < end);
    return { changes: new Set(found.map((at) => offset[at]!)), quarantine: new Set() };
  }

  async eventsAt(_: unknown, lsns: readonly number[], below: number): Promise<PastEvent[]> {
    const { log } = this;
    const found = this.records((at) => log.op[at] !== OP.r && log.offset[at]! < below && lsns.includes(log.lsn[at]!));
    return found.map((at) => ({
      lsn: log.lsn[at]!,
      txId: log.tx[at]!,
      txOrder: -1,
      op: String.fromCharCode(log.op[at]!),
      key: this.keyOf(at),
      table: TABLE.name,
    }));
  }

  async newest(_: unknown, keys: readonly string[], from: number): Promise<TruthEvent[]> {
    return this.newestOf(keys, (at) => this.log.offset[at]! >= from);
  }

  async newestWith(_: unknown, name: string, keys: ReadonlyMap<string, number>): Promise<TruthEvent[]> {
    const { log } = this;
    return this.newestOf([...keys.keys()], (at) => {
      const has = log.after[at] !== ABSENT && !(name === 'w' && log.withheld[at]);
      return has && log.offset[at]! < keys.get(this.keyOf(at))!;
    });
  }

  async turns(_: unknown, keys: ReadonlyMap<string, number>): Promise<TruthEvent[]> {
    const { op, offset } = this.log;
    return this.newestOf(
      [...keys.keys()],
      (at) => op[at] !== OP.u && op[at] !== OP.t && offset[at]! < keys.get(this.keyOf(at))!,
    );
  }

  async deletedAt(_: unknown, lsn: number, below: number): Promise<TruthEvent | null> {
    const { log } = this;
    const isIt = (at: number): boolean => log.op[at] === OP.d && log.lsn[at] === lsn && log.offset[at]! < below;
    const last = this.records((at) => this.redelivered[at] === 0 && isIt(at)).at(-1);
    return last === undefined ? null : this.truth(last);
  }

  /** Of this partition alone: in the model a truncate is carried out only where the topic has one. */
  async truncations(): Promise<Truncation[]> {
    const last = this.records((at) => this.log.op[at] === OP.t && this.redelivered[at] === 0).at(-1);
    if (last === undefined) return [];
    return [
      { topic: TOPIC, partition: this.partition, offset: this.log.offset[last]!, tsUs: 0, lsn: this.log.lsn[last]! },
    ];
  }

  private keyOf(at: number): string {
    return this.log.key[at]! < 0 ? '' : keyText(this.log.key[at]!);
  }

  private newestOf(keys: readonly string[], keep: (at: number) => boolean): TruthEvent[] {
    const newest = new Map<string, number>();
    for (const at of this.records((record) => this.redelivered[record] === 0 && keep(record)))
      newest.set(this.keyOf(at), at);
    return keys.flatMap((key) => (newest.has(key) ? [this.truth(newest.get(key)!)] : []));
  }

  private truth(at: number): TruthEvent {
    const { log } = this;
    const key = log.key[at]!;
    return {
      key: this.keyOf(at),
      offset: log.offset[at]!,
      op: String.fromCharCode(log.op[at]!),
      before: imageText(key, log.before[at]!, false),
      after: imageText(key, log.after[at]!, log.withheld[at]!),
      lsn: log.lsn[at]!,
      txId: -1,
      commitLsn: log.commitLsn[at]!,
      tsUs: 1,
      unavailable: log.withheld[at] ? ['w'] : [],
      wire: null,
    };
  }
}

const scratch = new ChangeBlock();

/** Looks, and computes both inserts, as the service does. Nothing else moves meanwhile. */
export async function prepareReally(world: World, context: BlockContext): Promise<Prepared> {
  const { partition, from, to } = context;
  const { history, clickhouse } = world;
  const log = history.logs[partition]!;
  const block = gather(log, from, to, scratch);
  const named = (name: string): MirroredTable['target'] => ({ database: DATABASE, name, uuid: name });
  const mirrored: MirroredTable = {
    name: 'public.t',
    layout: LAYOUT,
    readers: { of: () => TRANSCODER },
    target: named('t__mirror'),
    wholeBefore: history.fullIdentity,
    earlier: null,
  };
  const ports = {
    lookUps: new Lookups(world, partition) as unknown as LookUps,
    tables: {
      open: () =>
        Promise.resolve({
          mirrored,
          wire: () => Promise.resolve({ id: { low: 0, high: 0 }, transcoder: TRANSCODER }),
        }),
    } as unknown as DeliveryPorts['tables'],
    async currentRows(_: MirroredTable, images: MirrorRows, rows: readonly number[]): Promise<MirrorRows> {
      const standing = new MirrorRows(LAYOUT);
      for (const key of new Set(rows.map((row) => (images.columns[0] as FixedColumn).numberAt(row)))) {
        const row = clickhouse.mirror.final(key).row;
        const bytes = Buffer.from(imageText(key, row, false));
        if (row !== ABSENT) TRANSCODER.append(bytes, 0, bytes.length, standing);
      }
      return standing;
    },
    emit: () => undefined,
  };
  const bounds = { start: log.offset[from]!, end: log.offset[to - 1]! + 1 };
  const highest = context.highest;
  const real = await prepareBlock(
    block,
    {
      topic: TOPIC,
      partition,
      ...bounds,
      at: 1,
      seen: context.seen,
      announced: context.announced,
      round: context.round,
      highest,
      watermark: context.watermark,
      snapshot: context.snapshot,
      marks: NO_MARKS,
      changes: named('changes'),
      quarantine: named('quarantine'),
    },
    ports,
    LIMITS,
  );
  // A withheld value is lost where the record that had it expired before the service began, or its row was taken out.
  if (real.bad.length > 0 && world.excused.every((excused) => excused === 0) && world.spoilt.size === 0)
    throw new Error(`quarantined: ${real.bad.map(({ code }) => code).join(', ')}`);
  const audit = real.inserts.find(({ table }) => table.name === 'changes');
  const mirror = real.inserts.find(({ table }) => table.name === 't__mirror');
  return {
    ...(audit === undefined ? { records: [], redelivered: [] } : auditOf(audit, log)),
    signed: mirror === undefined ? [] : signedOf(mirror),
    below: real.truncates[0]?.below ?? -1,
    mode: (real.modes[0]?.mode ?? 'append') as Prepared['mode'],
    watermark: real.watermark,
    snapshot: real.snapshot,
  };
}

function columnOf<T>(insert: GuardedInsert, name: string): T {
  return insert.columns.find((one) => one.name === name)?.column as T;
}

function auditOf(insert: GuardedInsert, log: Kafkalog): { records: number[]; redelivered: number[] } {
  const offsets = columnOf<FixedColumn>(insert, 'offset');
  // One value for all rows travels beside the columns.
  const uniform = insert.constants.find(([name]) => name === 'redelivered')?.[1];
  const flags = uniform === undefined ? columnOf<FixedColumn>(insert, 'redelivered') : null;
  const rows = Array.from({ length: insert.rowCount }, (_, row) => row);
  return {
    records: rows.map((row) => log.offset.indexOf(offsets.numberAt(row))),
    redelivered: rows.map((row) => flags?.numberAt(row) ?? Number(uniform)),
  };
}

function signedOf(insert: GuardedInsert): SignedRow[] {
  const [keys, signs, offsets] = ['k', '_sign', '_offset'].map((name) => columnOf<FixedColumn>(insert, name));
  const [vs, ws] = ['v', 'w'].map((name) => columnOf<StringColumn>(insert, name));
  return Array.from({ length: insert.rowCount }, (_, row) => ({
    key: keys!.numberAt(row),
    sign: signs!.numberAt(row) === 1 ? 1 : -1,
    row: pack(Number(vs!.textAt(row)), Number(ws!.textAt(row))),
    offset: offsets!.numberAt(row),
  }));
}
