/** The source tables as the delivery meets them: their layouts, mirrors and views, made on first sight and kept in line. */
import { ServiceError, type TableCode } from '../errors';
import type { Emit } from '../events';
import type { TargetTable } from '../clickhouse/insert';
import { ignoreFields, mirrorLayout, type MirrorLayout } from '../clickhouse/mirror-layout';
import type { MirrorStore, StandingMirror, WantedMirror } from '../clickhouse/mirror-store';
import { compileTranscoder } from '../debezium/transcode';
import { tableName, type SourceTable } from '../model';
import type { BlockTable } from '../plan/change-block';
import type { Taken } from './group-leases';
import { patiently } from './patience';
import type { OpenTable, Tables, TakeTable } from './ports';
import { createTableLeases } from './table-leases';

export interface TablesOptions {
  /** The table as PostgreSQL's catalogue has it now; null if there is none. `null` when PostgreSQL is not configured. */
  readonly readTable: ((schema: string, name: string) => Promise<SourceTable | null>) | null;
  readonly store: MirrorStore;
  /** `schema.table` to the name of its view; null: audited, not mirrored. */
  readonly routes: ReadonlyMap<string, string | null>;
  /** Fills a new mirror from `changes`; how many keys were lost. */
  readonly fill: (of: { schema: string; table: string; layout: MirrorLayout; shadow: TargetTable }) => Promise<number>;
  readonly emit: Emit;
  /** Ends the waiting for PostgreSQL and ClickHouse. Longer-lived than any one assignment: tables are shared by partitions. */
  readonly signal: AbortSignal;
}

interface Entry {
  readonly opened: Promise<OpenTable>;
  readonly layout: Promise<MirrorLayout | null>;
  /** Fields of dropped columns: they are in images, not in the catalogue. */
  readonly ignored: ReadonlySet<string>;
  stale: boolean;
  recheck: boolean;
}

/** Why a table is not mirrored, in words. */
const REASONS: Record<TableCode, string> = {
  TABLE_WITHOUT_KEY:
    'it has neither a primary key nor a unique index over NOT NULL columns, so its rows cannot be told apart',
  TABLE_UNKNOWN: 'PostgreSQL has no such table (any more), so its types are not known',
  TABLE_NAME_TAKEN: 'the name of its view is taken in ClickHouse; give it another with ROUTES',
  TABLE_TYPE_CHANGED:
    'a column of its mirror has another type than the source has now; drop the mirror, it is built again from changes',
  TABLE_COLUMN_RESERVED: 'it has a column with the name of a column of the mirror itself (_sign, _offset and the like)',
};

export function createTables({ readTable, store, routes, fill, emit, signal }: TablesOptions): Tables {
  const entries = new Map<string, Entry>();
  /** View name to source table: the first that takes a name keeps it. */
  const takenBy = new Map<string, string>();

  const refuse = (name: string, code: TableCode): null => {
    emit({ tag: 'table-not-mirrored', table: name, code, reason: REASONS[code] });
    return null;
  };

  /** The layout by the catalogue, with the columns it lost since it was last read: a dropped column stays. */
  const layoutOf = async (
    table: BlockTable,
    before: Entry | undefined,
    ignored: ReadonlySet<string>,
  ): Promise<{ layout: MirrorLayout; source: SourceTable } | TableCode> => {
    if (readTable === null) return 'TABLE_UNKNOWN';
    const source = await patiently(() => readTable(table.schema, table.name), { signal, emit });
    if (source === null) return 'TABLE_UNKNOWN';
    const layout = mirrorLayout(source);
    if ('code' in layout) return layout.code;
    const earlier = (await before?.layout) ?? null;
    const dropped = (earlier?.columns ?? []).filter(({ name }) => !layout.fields.some((field) => field.name === name));
    const columns = [...layout.columns, ...dropped];
    const fields = [
      ...layout.fields,
      ...dropped.map(({ name }, index) => ({ name, column: layout.columns.length + index })),
    ];
    return { layout: ignoreFields({ ...layout, columns, fields }, ignored), source };
  };

  const openTable = async (
    table: BlockTable,
    found: { layout: MirrorLayout; source: SourceTable } | TableCode,
    take: TakeTable | null,
  ): Promise<OpenTable> => {
    const name = tableName(table);
    const route = routes.get(name);
    const audited: OpenTable = { mirrored: null, wireSchema: { low: 0, high: 0 } };
    if (route === null) return audited;
    if (typeof found === 'string') {
      refuse(name, found);
      return audited;
    }
    const { layout, source } = found;
    const wireSchema = await patiently(() => store.recordWireSchema(source), { signal, emit });
    const view = route ?? store.viewName(table.schema, table.name);
    if ((takenBy.get(view) ?? name) !== name) {
      refuse(name, 'TABLE_NAME_TAKEN');
      return { mirrored: null, wireSchema };
    }
    takenBy.set(view, name);
    const visible = source.columns.map((column) => column.name);
    const wanted = { layout, view, visible };
    const standing =
      take === null
        ? await patiently(
            () => store.ensureMirror({ ...wanted, mirror: 'keep', fill: (...into) => fillMirror(table, into) }),
            { signal, emit },
          )
        : await replaceMirror(table, wanted, take);
    if (typeof standing === 'string') {
      refuse(name, standing);
      return { mirrored: null, wireSchema };
    }
    if (standing.made === 'created') emit({ tag: 'table-mirrored', table: name, view });
    const wholeBefore = source.identity === 'full';
    return {
      wireSchema,
      mirrored: {
        name,
        layout: standing.layout,
        transcoder: compileTranscoder(standing.layout),
        target: standing.table,
        wholeBefore,
      },
    };
  };

  const fillMirror = async (
    { schema, name }: BlockTable,
    [shadow, layout]: readonly [TargetTable, MirrorLayout],
  ): Promise<void> => {
    const lost = await fill({ schema, table: name, layout, shadow });
    if (lost > 0) emit({ tag: 'rows-lost-in-rebuild', table: tableName({ schema, name }), lost });
  };

  /** The shadow is made before the table is taken: so says the argument in `group-leases.ts`. */
  const replaceMirror = async (
    table: BlockTable,
    wanted: Pick<WantedMirror, 'layout' | 'view' | 'visible'>,
    take: TakeTable,
  ): Promise<StandingMirror | TableCode> => {
    let taken: Taken | null = null;
    try {
      return await store.ensureMirror({
        ...wanted,
        mirror: 'rebuild',
        async fill(shadow, layout) {
          taken = await take(shadow);
          await fillMirror(table, [shadow, layout]);
        },
      });
    } finally {
      await (taken as Taken | null)?.release();
    }
  };

  const load = (table: BlockTable, before: Entry | undefined, take: TakeTable | null = null): Entry => {
    const ignored = before?.ignored ?? new Set<string>();
    const found = layoutOf(table, before, ignored);
    const opened = found.then((result) => openTable(table, result, take));
    const layout = found.then((result) => (typeof result === 'string' ? null : result.layout));
    layout.catch(() => undefined);
    return { opened, layout, ignored, stale: false, recheck: false };
  };

  const leases = createTableLeases();

  return {
    lease: (tables) => leases.share(tables.map(tableName)),
    alone: (name, action) => leases.alone(name, action),
    async rebuild(table, take) {
      return leases.alone(tableName(table), async () => {
        const loaded = load(table, entries.get(tableName(table)), take);
        const { mirrored } = await loaded.opened;
        entries.set(tableName(table), loaded);
        return mirrored !== null;
      });
    },
    async open(table) {
      const name = tableName(table);
      const entry = entries.get(name);
      if (entry !== undefined && !entry.stale) {
        if (!entry.recheck) return entry.opened;
        const { mirrored } = await entry.opened;
        if (mirrored === null || (await patiently(() => store.stands(mirrored.target), { signal, emit }))) {
          entry.recheck = false;
          return entry.opened;
        }
      }
      const current = entries.get(name);
      if (current !== undefined && current !== entry) return current.opened;
      const loaded = load(table, entry);
      entries.set(name, loaded);
      try {
        return await loaded.opened;
      } catch (error) {
        if (entries.get(name) === loaded) {
          if (entry === undefined) entries.delete(name);
          else entries.set(name, entry);
        }
        throw error;
      }
    },
    refresh(table, field) {
      const entry = entries.get(tableName(table));
      if (entry === undefined || entry.stale) return;
      void entry.layout.catch(() => null);
      const seenBefore = entry.ignored.has(field);
      if (seenBefore)
        throw new ServiceError('INTERNAL', `The field of a dropped column is still unknown.`, {
          place: { table: tableName(table), column: field },
          hint: 'Please report this.',
        });
      entries.set(tableName(table), { ...entry, ignored: new Set([...entry.ignored, field]), stale: true });
    },
    recheck() {
      for (const entry of entries.values()) entry.recheck = true;
    },
  };
}
