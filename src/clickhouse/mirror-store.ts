/** Mirrors and views as they stand in ClickHouse: made, widened, replaced, and known again by their comments and UUIDs. */
import { createHash } from 'node:crypto';
import { ServiceError, type TableCode } from '../errors';
import { tableName, type PartitionedTable } from '../model';
import type { ClickHouse } from './client';
import type { Control } from './control';
import {
  changesViewComment,
  changesViewName,
  createChangesViewSql,
  createViewSql,
  createPartitionsViewSql,
  DDL_SETTINGS,
  mirrorComment,
  mirrorName,
  mirrorStepSql,
  partitionsComment,
  publicName,
  quoteName,
  quoteText,
  viewComment,
  type Databases,
  type LeafView,
  type MirrorPlace,
} from './ddl';
import { atView, createLookBackSql, historyView, lookBackComment, type LookBackView } from './ddl-history';
import type { ImageForms } from './image-forms';
import type { TargetTable } from './insert';
import { isCounted, shownName, type MirrorLayout } from './mirror-layout';
import { planMirror, stepChange, type MirrorChange, type MirrorPlan, type StandingColumn } from './mirror-plan';
import { mirrorShadows } from './mirror-shadow';
import { recordSchemaChanges, type ShownBy } from './schema-changes';

export interface WantedMirror {
  readonly layout: MirrorLayout;
  /** The name of the view; the mirror's and the others' follow from it. */
  readonly view: string;
  /** The columns that the view shows: those the source has now. */
  readonly visible: readonly string[];
  /** `rebuild`: make it anew even if it stands as it should. */
  readonly mirror: 'keep' | 'rebuild';
  /** The record that showed the columns as they are; null where it was none. */
  readonly shownBy: ShownBy | null;
  /** How the table's images in `changes` are written. */
  readonly forms: ImageForms;
  /** Fills a new mirror from `changes` before anybody sees it. `layout` has the types that the table really has. */
  readonly fill: (shadow: TargetTable, layout: MirrorLayout) => Promise<void>;
}

export interface StandingMirror {
  readonly table: TargetTable;
  /** The wanted layout with the types that the mirror really has: a column that was added later is Nullable. */
  readonly layout: MirrorLayout;
  readonly made: 'kept' | 'created';
}

/** A mirror that can be brought in line only by making it anew. */
export interface OutdatedMirror {
  readonly made: 'outdated';
  readonly changes: readonly MirrorChange[];
}

export interface MirrorStore {
  viewName(schema: string, table: string): string;
  /**
   * Makes the mirror and its views, or brings them in line. A code where that cannot be; the changes that stand in the way
   * where the mirror must be made anew, which only who has it alone may do.
   */
  ensureMirror(wanted: WantedMirror): Promise<StandingMirror | TableCode | OutdatedMirror>;
  /**
   * Makes the view over the leaves of a partitioned table that have a view; `leaves` are the names of those views. False
   * where the name is taken.
   */
  ensurePartitionsView(table: PartitionedTable, view: string, leaves: readonly string[]): Promise<boolean>;
  /** True while the table of that name has that UUID and was filled from the `changes` that stands. */
  stands(table: TargetTable): Promise<boolean>;
  /** Drops a mirror in the making, so that it never takes the place of the one that stands. */
  dropShadow(name: string): Promise<void>;
  /** The same for all of them, whoever makes them. */
  dropShadows(): Promise<void>;
  /** Brings the views of a mirror that stands in line with how images are written now. */
  ensureViews(wanted: Pick<WantedMirror, 'layout' | 'view' | 'visible' | 'forms'>): Promise<void>;
}

interface Standing {
  readonly comment: string;
  readonly uuid: string;
}

function digestOf(definition: string): string {
  return createHash('sha256').update(definition).digest('hex').slice(0, 16);
}

/** They follow rows by their key: a table without one has none, unless it had one before. */
function lookBackViews(place: MirrorPlace): LookBackView[] {
  return [atView(place), historyView(place)];
}

/** Whether what stands under a view's name is that view, of whatever definition. */
function isOfView(standing: Standing, { comment }: LookBackView): boolean {
  return standing.comment.startsWith(`${comment} (`);
}

export function openMirrorStore(clickhouse: ClickHouse, databases: Databases, control: Control): MirrorStore {
  const shadows = mirrorShadows(clickhouse, databases.machinery);

  const find = async (database: string, name: string): Promise<Standing | null> => {
    const rows = await clickhouse.query<Standing>(
      `SELECT comment, toString(uuid) AS uuid FROM system.tables WHERE database = ${quoteText(database)} AND name = ${quoteText(name)}`,
    );
    return rows[0] ?? null;
  };

  const columnTypes = async (database: string, name: string): Promise<Map<string, string>> => {
    const rows = await clickhouse.query<{ name: string; type: string }>(
      `SELECT name, type FROM system.columns WHERE database = ${quoteText(database)} AND table = ${quoteText(name)} ORDER BY position`,
    );
    return new Map(rows.map(({ name: column, type }) => [column, type]));
  };

  const targetTable = (name: string, uuid: string): TargetTable => ({ database: databases.machinery, name, uuid });

  const changesUuid = async (): Promise<string> => (await find(databases.machinery, 'changes'))?.uuid ?? 'no changes';

  /**
   * Under this name `control` has the UUID of the `changes` that a mirror was filled from. Each mirror has a name of its
   * own, so that a process that was stopped meanwhile cannot make another one's unknown.
   */
  const recordOf = (name: string, uuid: string): string => `mirror:${name}:${uuid}`;

  const isKnown = async (name: string, uuid: string): Promise<boolean> =>
    (await control.get(recordOf(name, uuid))) === (await changesUuid());

  /**
   * Builds the mirror beside its name, full, and puts it in place in one step. Null if another process has made it
   * meanwhile. A mirror that is not known has no writers, so only its builders can be in each other's way: who is done
   * is known and drops the others' shadows before he writes, and who comes later looks again once he has made his own.
   */
  const build = async (wanted: WantedMirror): Promise<TargetTable | null> => {
    const place: MirrorPlace = { layout: wanted.layout, databases, name: wanted.view };
    const name = mirrorName(wanted.view);
    const shadow = await shadows.make(place);
    try {
      const replaced = await find(databases.machinery, name);
      if (wanted.mirror === 'keep' && replaced !== null && (await isKnown(name, replaced.uuid))) return null;
      // Read before it is filled: should `changes` be replaced meanwhile, the mirror is built once more.
      const of = await changesUuid();
      await wanted.fill(shadow, wanted.layout);
      await control.set(recordOf(name, shadow.uuid), of);
      if (await shadows.install(shadow, place)) {
        if (replaced !== null) await control.forget(recordOf(name, replaced.uuid));
        return targetTable(name, shadow.uuid);
      }
      if (wanted.mirror === 'keep') return null;
      throw revoked(wanted.layout);
    } finally {
      // What stands there now is the shadow, or the mirror that was replaced; else nothing.
      await shadows.drop(shadow.name).catch(() => undefined);
    }
  };

  const plan = async (place: MirrorPlace): Promise<MirrorPlan> => {
    const where = `database = ${quoteText(databases.machinery)}`;
    const name = quoteText(mirrorName(place.name));
    const columns = await clickhouse.query<StandingColumn>(
      `SELECT name, type, comment FROM system.columns WHERE ${where} AND table = ${name} ORDER BY position`,
    );
    const [table] = await clickhouse.query<{ sorting_key: string }>(
      `SELECT sorting_key FROM system.tables WHERE ${where} AND name = ${name}`,
    );
    return planMirror(place.layout, columns, table?.sorting_key ?? '');
  };

  /** Takes the steps of a plan and writes them down. Two processes may do so at once. */
  const align = async (
    place: MirrorPlace,
    { steps }: Extract<MirrorPlan, { kind: 'in-place' }>,
    shownBy: ShownBy | null,
  ): Promise<void> => {
    for (const step of steps) {
      const statement = mirrorStepSql(place, step);
      await clickhouse.command(statement, DDL_SETTINGS);
      const changes = [stepChange(step)];
      await recordSchemaChanges(clickhouse, databases.machinery, { layout: place.layout, shownBy, statement, changes });
    }
  };

  /** Whether something that is not ours, or is of another source, has the name of one of the views. */
  const isNameTaken = async (place: MirrorPlace): Promise<boolean> => {
    const { layout, name } = place;
    const isOther = (standing: Standing | null, comment: string): boolean =>
      standing !== null && standing.comment !== comment;
    if (isOther(await find(databases.views, name), viewComment(layout))) return true;
    const changesView = await find(databases.machinery, changesViewName(name));
    const marked = changesView?.comment.replace(/ \([0-9a-f]{16}\)$/, '');
    if (marked !== undefined && marked !== changesViewComment(layout)) return true;
    for (const view of isCounted(layout) ? [] : lookBackViews(place)) {
      const standing = await find(databases.machinery, view.name);
      if (standing !== null && !isOfView(standing, view)) return true;
    }
    return false;
  };

  /** A column's type may be the same and its expression another, so the definition is known by its digest. */
  const ensureChangesView = async (place: MirrorPlace): Promise<void> => {
    const comment = changesViewComment(place.layout);
    const wanted = `${comment} (${digestOf(createChangesViewSql(place))})`;
    const standing = await find(databases.machinery, changesViewName(place.name));
    if (standing?.comment !== wanted) await clickhouse.command(createChangesViewSql(place, wanted));
  };

  /** Whether the view shows each row as often as it is counted; its columns do not tell. */
  const isCounting = async (name: string): Promise<boolean> => {
    const [view] = await clickhouse.query<{ counts: number }>(
      `SELECT position(as_select, 'ARRAY JOIN') > 0 AS counts FROM system.tables WHERE database = ${quoteText(databases.views)} AND name = ${quoteText(name)}`,
    );
    return view?.counts === 1;
  };

  const ensureViews = async (place: MirrorPlace, visible: readonly string[]): Promise<void> => {
    const shown = place.layout.columns.filter(({ name }) => visible.includes(name));
    const layout = { ...place.layout, columns: shown };
    const actual = await columnTypes(databases.views, place.name);
    const same = actual.size === shown.length && shown.every((column) => actual.get(shownName(column)) === column.type);
    if (!same || (await isCounting(place.name)) !== isCounted(layout))
      await clickhouse.command(createViewSql({ ...place, layout }));
    await ensureChangesView({ ...place, layout });
    for (const view of lookBackViews({ ...place, layout })) {
      const standing = await find(databases.machinery, view.name);
      if (isCounted(layout)) await dropOutlived(standing, view);
      else await ensureLookBackView(place, standing, view);
    }
  };

  const ensureLookBackView = async (
    place: MirrorPlace,
    standing: Standing | null,
    view: LookBackView,
  ): Promise<void> => {
    const digest = digestOf(view.select);
    if (standing?.comment !== lookBackComment(view, digest))
      await clickhouse.command(createLookBackSql(place, view, digest), DDL_SETTINGS);
  };

  /** Of a time when the table had a key: what it would tell of now is wrong. */
  const dropOutlived = async (standing: Standing | null, view: LookBackView): Promise<void> => {
    if (standing === null || !isOfView(standing, view)) return;
    await clickhouse.command(`DROP VIEW IF EXISTS ${quoteName(databases.machinery)}.${quoteName(view.name)} SYNC`);
  };

  /** Null if another process made it meanwhile. */
  const makeAnew = async (wanted: WantedMirror): Promise<StandingMirror | null> => {
    const { layout, view, visible, shownBy } = wanted;
    const place: MirrorPlace = { layout, databases, name: view, forms: wanted.forms };
    const found = (await find(databases.machinery, mirrorName(view))) === null ? null : await plan(place);
    const table = await build(wanted);
    if (table === null) return null;
    await ensureViews(place, visible);
    const changes = found?.kind === 'rebuild' ? found.changes : [];
    const statement = 'made anew from changes';
    await recordSchemaChanges(clickhouse, databases.machinery, { layout, shownBy, statement, changes });
    return { table, layout, made: 'created' };
  };

  const keep = async (
    { layout, view, visible, forms, shownBy }: WantedMirror,
    uuid: string,
  ): Promise<StandingMirror | OutdatedMirror> => {
    const found = await plan({ layout, databases, name: view });
    if (found.kind === 'rebuild') return { made: 'outdated', changes: found.changes };
    const place: MirrorPlace = { layout: found.layout, databases, name: view, forms };
    await align(place, found, shownBy);
    await ensureViews(place, visible);
    return { table: targetTable(mirrorName(view), uuid), layout: found.layout, made: 'kept' };
  };

  return {
    viewName: publicName,
    async ensureMirror(wanted) {
      const { layout, view } = wanted;
      const mirror = await find(databases.machinery, mirrorName(view));
      if (
        (await isNameTaken({ layout, databases, name: view })) ||
        (mirror && mirror.comment !== mirrorComment(layout))
      )
        return 'TABLE_NAME_TAKEN';
      const isNew = mirror === null || !(await isKnown(mirrorName(view), mirror.uuid));
      const made = wanted.mirror === 'rebuild' || isNew ? await makeAnew(wanted) : await keep(wanted, mirror.uuid);
      return made ?? this.ensureMirror(wanted);
    },
    async ensurePartitionsView(table, view, leaves) {
      const standing = await find(databases.views, view);
      if (standing !== null && standing.comment !== partitionsComment(table)) return false;
      const found: LeafView[] = [];
      for (const name of leaves) {
        const columns = new Set((await columnTypes(databases.views, name)).keys());
        if (columns.size > 0) found.push({ name, columns });
      }
      if (found.length === 0) return true;
      await clickhouse.command(createPartitionsViewSql(table, found, { views: databases.views, name: view }));
      return true;
    },
    async stands(table) {
      return (await find(table.database, table.name))?.uuid === table.uuid && isKnown(table.name, table.uuid);
    },
    dropShadow: (name) => shadows.drop(name),
    dropShadows: () => shadows.dropAll(),
    ensureViews: ({ layout, view, visible, forms }) => ensureViews({ layout, databases, name: view, forms }, visible),
  };
}

function revoked({ schema, table }: MirrorLayout): ServiceError {
  const name = tableName({ schema, name: table });
  return new ServiceError(
    'FENCED',
    `The partitions of ${name} moved to another process while its mirror was made anew; the old mirror stays.`,
    { place: { table: name }, hint: 'Ask again once the group has come to rest.' },
  );
}
