/** The source tables as the delivery meets them: their layouts, mirrors and views, made on first sight and kept in line. */
import { ServiceError, type TableCode } from '../errors';
import type { Emit } from '../events';
import type { TargetTable } from '../clickhouse/insert';
import { ignoreFields, type MirrorLayout } from '../clickhouse/mirror-layout';
import type { MirrorStore, OutdatedMirror, StandingMirror, WantedMirror } from '../clickhouse/mirror-store';
import type { ShownBy } from '../clickhouse/schema-changes';
import type { WireSchemas } from '../clickhouse/wire-schemas';
import type { LateMask, Masking } from '../masking';
import { tableName, type ConnectorModes, type PartitionedTable, type SourceTable } from '../model';
import type { BlockTable } from '../plan/change-block';
import type { Taken } from './group-leases';
import { createImageReaders } from './image-readers';
import { patiently } from './patience';
import { MirrorOutdated, type OpenTable, type TableNeed, type Tables, type TakeTable } from './ports';
import { sayEachOnce } from './say-each-once';
import { createTableLeases } from './table-leases';
import type { Found, Look, TableKnowledge } from './table-knowledge';
import { REASONS } from './table-reasons';
import { ColumnTooNarrow } from './widened';
import { earlierImages, type EarlierImages } from './table-past';
import {
  formsOf,
  otherMasks,
  tableWires,
  type FormsFound,
  type MirrorWires,
  type TableWiresOptions,
} from './table-wires';

export interface TablesOptions {
  readonly knowledge: TableKnowledge;
  readonly store: MirrorStore;
  readonly wires: WireSchemas;
  /** How the connector writes plain JSON. */
  readonly modes: ConnectorModes;
  readonly masking: Pick<Masking, 'late' | 'unmatched'>;
  /** `schema.table` to the name of its view; null: audited, not mirrored. */
  readonly routes: ReadonlyMap<string, string | null>;
  /** Fills a new mirror from `changes`; how many keys were lost. */
  readonly fill: (of: {
    schema: string;
    table: string;
    layout: MirrorLayout;
    shadow: TargetTable;
    earlier: EarlierImages | null;
  }) => Promise<number>;
  readonly emit: Emit;
  /** Ends the waiting for PostgreSQL and ClickHouse. Longer-lived than any one assignment: tables are shared by partitions. */
  readonly signal: AbortSignal;
}

interface Entry {
  /** Null where the catalogue could not be asked. */
  readonly look: Promise<Look | null>;
  readonly table: BlockTable;
  readonly opened: Promise<OpenTable>;
  /** Fields of dropped columns: they are in images, not in the catalogue. */
  readonly ignored: ReadonlySet<string>;
  stale: boolean;
  recheck: boolean;
}

export function createTables(options: TablesOptions): Tables {
  const { knowledge, store, wires, modes, masking, routes, fill, emit, signal } = options;
  const entries = new Map<string, Entry>();
  /** View name to source table: the first that takes a name keeps it. */
  const takenBy = new Map<string, string>();

  /** The records that showed changes for which a mirror must be made anew. */
  const shown = new Map<string, ShownBy>();

  const takes = (name: string, view: string): boolean => {
    if ((takenBy.get(view) ?? name) !== name) return false;
    takenBy.set(view, name);
    return true;
  };

  const once = sayEachOnce();

  const refuse = (name: string, code: TableCode): null => {
    emit({ tag: 'table-not-mirrored', table: name, code, reason: REASONS[code] });
    return null;
  };

  /** Tells what is in `changes` of before the masks of now; a code where events of one row are under two keys by that. */
  const masksOf = async (
    layout: MirrorLayout,
    definitions: FormsFound['definitions'],
    writing: TableWiresOptions,
  ): Promise<TableCode | null> => {
    const found = await patiently(() => otherMasks(layout, definitions, writing), { signal, emit });
    if (found === null) return null;
    const [name, { columns }] = [tableName({ schema: layout.schema, name: layout.table }), found];
    once(`masks ${name} ${columns.join()}`, () => emit({ tag: 'masks-changed', table: name, columns }));
    return found.inKey ? 'TABLE_KEY_MASK_CHANGED' : null;
  };

  /** What the catalogue alone tells to mask; says which rules fit no column. */
  const lateOf = (source: SourceTable | null): LateMask | null => {
    if (source === null) return null;
    const [table, columns] = [tableName(source), masking.unmatched(source)];
    if (columns.length > 0)
      once(`columns ${table} ${columns.join()}`, () => emit({ tag: 'columns-not-found', table, columns }));
    return masking.late(source);
  };

  const openTable = async (
    table: BlockTable,
    { known: found, source: masked }: Pick<Found, 'known' | 'source'>,
    shownBy: ShownBy | null,
    take: TakeTable | null,
  ): Promise<OpenTable> => {
    const name = tableName(table);
    const route = routes.get(name);
    const known = typeof found === 'string' ? null : found.source;
    const writing: TableWiresOptions = { source: known, schema: table.schema, table: table.name, modes, wires };
    const late = lateOf(masked);
    const audited: OpenTable = { mirrored: null, late, wire: tableWires(writing, null, null) };
    if (route === null) return audited;
    if (typeof found === 'string') {
      refuse(name, found);
      return audited;
    }
    const { layout, source, versions, wholeBefore } = found;
    const view = route ?? store.viewName(table.schema, table.name);
    // Taken at once: another table may be waiting for the same name.
    const isTaken = !takes(name, view);
    const { forms, definitions } = await patiently(() => formsOf(layout, writing), { signal, emit });
    const obstacle = isTaken ? 'TABLE_NAME_TAKEN' : await masksOf(layout, definitions, writing);
    if (obstacle !== null) {
      refuse(name, obstacle);
      return audited;
    }
    const earlier = earlierImages(versions);
    const visible = source.columns.map((column) => column.name);
    const wanted = { layout, view, visible, forms, shownBy };
    const standing =
      take === null
        ? await patiently(
            () =>
              store.ensureMirror({ ...wanted, mirror: 'keep', fill: (...into) => fillMirror(table, into, earlier) }),
            { signal, emit },
          )
        : await replaceMirror(table, wanted, { take, earlier });
    if (typeof standing === 'string') {
      refuse(name, standing);
      return audited;
    }
    if (standing.made === 'outdated') throw new MirrorOutdated(table);
    if (standing.made === 'created') emit({ tag: 'table-mirrored', table: name, view });
    if (source.leafOf !== undefined) await joinLeaves(source.leafOf);
    const actual = standing.layout;
    const readers = createImageReaders(actual, source.columns);
    const show: MirrorWires['show'] = (now) => store.ensureViews({ layout: actual, view, visible, forms: now });
    return {
      late,
      wire: tableWires(writing, { layout: actual, readers, show }, forms),
      mirrored: { name, layout: actual, readers, target: standing.table, wholeBefore, earlier },
    };
  };

  /** The partitioned table is shown as the rows of all its leaves. */
  const joinLeaves = async (of: PartitionedTable): Promise<void> => {
    const viewOf = (leaf: { schema: string; name: string }): string | null => {
      const route = routes.get(tableName(leaf));
      return route === undefined ? store.viewName(leaf.schema, leaf.name) : route;
    };
    const view = viewOf(of);
    if (view === null) return;
    const leaves = of.leaves.map(viewOf).filter((leaf) => leaf !== null);
    const made = await patiently(() => store.ensurePartitionsView(of, view, leaves), { signal, emit });
    if (!made) refuse(tableName(of), 'TABLE_NAME_TAKEN');
  };

  const fillMirror = async (
    { schema, name }: BlockTable,
    [shadow, layout]: readonly [TargetTable, MirrorLayout],
    earlier: EarlierImages | null,
  ): Promise<void> => {
    const lost = await fill({ schema, table: name, layout, shadow, earlier });
    if (lost > 0) emit({ tag: 'rows-lost-in-rebuild', table: tableName({ schema, name }), lost });
    for (const [column, rows] of earlier?.takeUnknown() ?? [])
      emit({ tag: 'values-unknown', table: tableName({ schema, name }), column, rows });
  };

  /** The shadow is made before the table is taken: so says the argument in `group-leases.ts`. */
  const replaceMirror = async (
    table: BlockTable,
    wanted: Pick<WantedMirror, 'layout' | 'view' | 'visible' | 'forms' | 'shownBy'>,
    { take, earlier }: { take: TakeTable; earlier: EarlierImages | null },
  ): Promise<StandingMirror | TableCode | OutdatedMirror> => {
    let taken: Taken | null = null;
    try {
      return await store.ensureMirror({
        ...wanted,
        mirror: 'rebuild',
        async fill(shadow, layout) {
          taken = await take(shadow);
          await fillMirror(table, [shadow, layout], earlier);
        },
      });
    } finally {
      await (taken as Taken | null)?.release();
    }
  };

  const load = (
    table: BlockTable,
    before: Entry | undefined,
    shownBy: ShownBy | null,
    take: TakeTable | null = null,
  ): Entry => {
    const ignored = before?.ignored ?? new Set<string>();
    const find = async (): Promise<Found> => knowledge.of(table, (await before?.look) ?? null, shownBy);
    const open = ({ known, source }: Found): Promise<OpenTable> => {
      const fitting = typeof known === 'string' ? known : { ...known, layout: ignoreFields(known.layout, ignored) };
      return openTable(table, { known: fitting, source }, shownBy, take);
    };
    const found = find();
    const opened = found.then(async (first) => {
      for (let now = first; ; now = await find()) {
        try {
          return await open(now);
        } catch (error) {
          // Met while a new mirror was filled; each column becomes text once.
          if (!(error instanceof ColumnTooNarrow)) throw error;
          await knowledge.widen(table, error.column);
        }
      }
    });
    const look = found.then((result) => result.look);
    look.catch(() => undefined);
    return { table, opened, look, ignored, stale: false, recheck: false };
  };

  /** Whether source and mirror are as the entry has them. */
  const isFresh = async (table: BlockTable, entry: Entry, upTo: number): Promise<boolean> => {
    if (entry.stale || !(await knowledge.isCurrent(table, await entry.look, upTo))) return false;
    if (!entry.recheck) return true;
    const { mirrored } = await entry.opened;
    const stands = mirrored === null || (await patiently(() => store.stands(mirrored.target), { signal, emit }));
    if (stands) entry.recheck = false;
    return stands;
  };

  const openedFor = async (table: BlockTable, { opened }: Entry, { sentUs = -1 }: TableNeed): Promise<OpenTable> => {
    const found = await opened;
    if (sentUs >= 0) await knowledge.rememberSent(table, sentUs);
    return found;
  };

  const leases = createTableLeases();

  return {
    lease: (tables) => leases.share(tables.map(tableName)),
    alone: (name, action) => leases.alone(name, action),
    async rebuild(table, take) {
      return leases.alone(tableName(table), async () => {
        const loaded = load(table, entries.get(tableName(table)), shown.get(tableName(table)) ?? null, take);
        const { mirrored } = await loaded.opened;
        entries.set(tableName(table), loaded);
        shown.delete(tableName(table));
        return mirrored !== null;
      });
    },
    async open(table, need) {
      const { upTo, shownBy } = need;
      const name = tableName(table);
      const entry = entries.get(name);
      if (entry !== undefined && (await isFresh(table, entry, upTo))) return openedFor(table, entry, need);
      const current = entries.get(name);
      if (current !== undefined && current !== entry) return openedFor(table, current, need);
      const loaded = load(table, entry, shownBy);
      entries.set(name, loaded);
      try {
        return await openedFor(table, loaded, need);
      } catch (error) {
        if (error instanceof MirrorOutdated && shownBy !== null && !shown.has(name)) shown.set(name, shownBy);
        if (entries.get(name) === loaded) {
          if (entry === undefined) entries.delete(name);
          else entries.set(name, entry);
        }
        throw error;
      }
    },
    async standing(table, need) {
      const entry = entries.get(tableName(table));
      return entry !== undefined && (await isFresh(table, entry, need.upTo)) ? openedFor(table, entry, need) : null;
    },
    refresh(table, field) {
      const entry = entries.get(tableName(table));
      if (entry === undefined || entry.stale) return;
      const seenBefore = entry.ignored.has(field);
      if (seenBefore)
        throw new ServiceError('INTERNAL', `The field of a dropped column is still unknown.`, {
          place: { table: tableName(table), column: field },
          hint: 'Please report this.',
        });
      entries.set(tableName(table), { ...entry, ignored: new Set([...entry.ignored, field]), stale: true });
    },
    async learnKey(table, key) {
      if (await knowledge.learnKey(table, key)) this.reopen(table);
    },
    async widen(table, column) {
      await knowledge.widen(table, column);
      this.reopen(table);
    },
    reopen(table) {
      const entry = entries.get(tableName(table));
      if (entry !== undefined) entries.set(tableName(table), { ...entry, stale: true });
    },
    async refill(standing) {
      for (const [name, entry] of entries) {
        const { mirrored } = await entry.opened.catch(() => ({ mirrored: null }));
        if (mirrored === null || standing.get(mirrored.target.name)?.uuid === mirrored.target.uuid) continue;
        const release = await leases.share([name]);
        try {
          entry.recheck = true;
          await this.open(entry.table, { upTo: -1, shownBy: null });
        } catch (error) {
          // The next block of the table sees to that.
          if (!(error instanceof MirrorOutdated)) throw error;
        } finally {
          release();
        }
      }
    },
    recheck() {
      for (const entry of entries.values()) entry.recheck = true;
    },
  };
}
