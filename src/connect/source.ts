/** What the connector needs in PostgreSQL: the signal table, the publication, and the slot's removal. */
import { ServiceError } from '../errors';
import { pause } from './rest';

/** One statement on the source, as its owner or a superuser; `openPostgres(url)` gives it. */
export interface SourceSql {
  query<T>(sql: string, params?: readonly unknown[]): Promise<T[]>;
}

/**
 * Which tables are captured. `whole-schema` is the demo's way: a publication for the schema, so that a table created
 * later arrives by itself. `tables` is for everybody else: patterns `schema.table` where `*` stands for any characters;
 * only tables that exist now are published, and `connectors apply` adds new ones.
 */
export type Capture =
  | { readonly kind: 'whole-schema'; readonly schema: string }
  | { readonly kind: 'tables'; readonly include: readonly string[]; readonly exclude: readonly string[] };

/** What is said about the capture in one phrase. */
export function describeCapture(capture: Capture): string {
  if (capture.kind === 'whole-schema') return `all tables of schema ${capture.schema}`;
  const except = capture.exclude.length === 0 ? '' : ` except ${capture.exclude.join(', ')}`;
  return `tables ${capture.include.join(', ')}${except}`;
}

/** `table.include.list`: Java regular expressions, anchored by Debezium, an exclusion standing before each inclusion. */
export function tableIncludeList(capture: Capture): string {
  if (capture.kind === 'whole-schema') return `${globToRegex(`${capture.schema}.`)}.*`;
  const exclude = capture.exclude.map(globToRegex).join('|');
  const not = exclude === '' ? '' : `(?!(?:${exclude})$)`;
  return capture.include.map((pattern) => `${not}${globToRegex(pattern)}`).join(',');
}

function globToRegex(pattern: string): string {
  // A comma would end the pattern in Debezium's list; inside a name it can only be written as a code point.
  return pattern
    .replace(/[.+?^${}()|[\]\\]/g, '\\$&')
    .replace(/,/g, '\\x2C')
    .replace(/\*/g, '.*');
}

/** The comment on everything `connectors apply` made, so that `connectors delete` removes nothing else. */
const OURS = 'debezium-clickhouse: made by connectors apply';

/** A table as `connectors snapshot` looks at it. */
export interface SnapshotTable {
  /** `schema.table`. */
  readonly table: string;
  readonly published: boolean;
  readonly hasPrimaryKey: boolean;
}

/** Every ordinary table, and whether the publication and an incremental snapshot can do with it. */
export async function snapshotTables(postgres: SourceSql, publication: string): Promise<SnapshotTable[]> {
  const rows = await postgres.query<TableRow & { published: boolean; keyed: boolean }>(
    `SELECT n.nspname AS schema, c.relname AS name,
            EXISTS (SELECT FROM pg_publication_tables p
                     WHERE p.pubname = $1 AND p.schemaname = n.nspname AND p.tablename = c.relname) AS published,
            EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary) AS keyed
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind = 'r' AND c.relpersistence = 'p' AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
      ORDER BY 1, 2`,
    [publication],
  );
  return rows.map(({ schema, name, published, keyed }) => ({
    table: `${schema}.${name}`,
    published,
    hasPrimaryKey: keyed,
  }));
}

/** Writes a signal where the connector reads it in the order of all changes. Throws POSTGRES_QUERY_FAILED. */
export async function sendSignalRow(
  postgres: SourceSql,
  table: string,
  { id, type, data }: { readonly id: string; readonly type: string; readonly data: object },
): Promise<void> {
  await postgres.query(`INSERT INTO ${quoted(parseTable(table))} VALUES ($1, $2, $3)`, [
    id,
    type,
    JSON.stringify(data),
  ]);
}

interface TableRow {
  readonly schema: string;
  readonly name: string;
}

/**
 * Makes the signal table and the publication where they are missing, and adds tables the publication lacks.
 * A publication made by someone else is only added to. Throws POSTGRES_QUERY_FAILED where the rights are missing.
 */
export async function prepareSource(options: {
  readonly postgres: SourceSql;
  readonly capture: Capture;
  /** null: signals come another way. */
  readonly signalTable: string | null;
  readonly publication: string;
  readonly log: (line: string) => void;
}): Promise<void> {
  const { postgres, log } = options;
  const signal = options.signalTable === null ? null : parseTable(options.signalTable);
  if (signal !== null) await makeSignalTable(postgres, signal, log);
  const [existing] = await postgres.query<{ alltables: boolean }>(
    'SELECT puballtables AS alltables FROM pg_publication WHERE pubname = $1',
    [options.publication],
  );
  if (existing === undefined) await createPublication({ ...options, signal });
  else if (!existing.alltables) await extendPublication({ ...options, signal });
}

async function makeSignalTable(postgres: SourceSql, signal: TableRow, log: (line: string) => void): Promise<void> {
  const [found] = await postgres.query('SELECT 1 FROM pg_tables WHERE schemaname = $1 AND tablename = $2', [
    signal.schema,
    signal.name,
  ]);
  if (found !== undefined) return;
  // The columns' order and number are Debezium's; the names are free.
  await postgres.query(
    `CREATE TABLE IF NOT EXISTS ${quoted(signal)} (id varchar(64) PRIMARY KEY, type varchar(32) NOT NULL, data text)`,
  );
  await postgres.query(`COMMENT ON TABLE ${quoted(signal)} IS '${OURS}'`);
  log(`signal table ${signal.schema}.${signal.name}: created`);
}

interface PublicationOptions {
  readonly postgres: SourceSql;
  readonly capture: Capture;
  readonly signal: TableRow | null;
  readonly publication: string;
  readonly log: (line: string) => void;
}

async function createPublication(options: PublicationOptions): Promise<void> {
  const { postgres, capture, signal, publication, log } = options;
  const name = quoteName(publication);
  const wholeSchema = capture.kind === 'whole-schema' && (await canPublishSchema(postgres));
  const also = (await publishesGenerated(postgres)) ? ' WITH (publish_generated_columns = stored)' : '';
  if (wholeSchema) {
    const separate = signal === null || signal.schema === capture.schema ? '' : `, TABLE ${quoted(signal)}`;
    await postgres.query(
      `CREATE PUBLICATION ${name} FOR TABLES IN SCHEMA ${quoteName(capture.schema)}${separate}${also}`,
    );
    log(`publication ${publication}: created for schema ${capture.schema}; tables created later belong to it`);
  } else {
    const tables = await capturedTables(postgres, capture, signal);
    await postgres.query(`CREATE PUBLICATION ${name} FOR TABLE ${tables.map(quoted).join(', ')}${also}`);
    log(`publication ${publication}: created for ${listed(tables)}`);
    if (capture.kind === 'whole-schema')
      log('only a superuser can publish a schema: run this again after each CREATE TABLE');
  }
  await postgres.query(`COMMENT ON PUBLICATION ${name} IS '${OURS}'`);
}

async function extendPublication(options: PublicationOptions): Promise<void> {
  const { postgres, capture, signal, publication, log } = options;
  if (capture.kind === 'whole-schema' && (await canPublishSchema(postgres))) await addSchema(options, capture.schema);
  const published = await postgres.query<TableRow>(
    'SELECT schemaname AS schema, tablename AS name FROM pg_publication_tables WHERE pubname = $1',
    [publication],
  );
  const has = new Set(published.map(quoted));
  const missing = (await capturedTables(postgres, capture, signal)).filter((table) => !has.has(quoted(table)));
  if (missing.length === 0) return;
  await postgres.query(`ALTER PUBLICATION ${quoteName(publication)} ADD TABLE ${missing.map(quoted).join(', ')}`);
  log(`publication ${publication}: ${listed(missing)} added`);
  const isSignal = (table: TableRow): boolean => signal !== null && quoted(table) === quoted(signal);
  for (const table of missing.filter((added) => !isSignal(added))) log(snapshotAdvice(table));
}

/** A table that joins later is streamed from now on; the rows it has already come only when asked for. */
function snapshotAdvice({ schema, name }: TableRow): string {
  const table = `${schema}.${name}`;
  return `the rows that ${table} has already are not sent by themselves; to send them: debezium-clickhouse connectors snapshot --tables '${table.replace(/'/g, String.raw`'\\''`)}'`;
}

async function capturedTables(postgres: SourceSql, capture: Capture, signal: TableRow | null): Promise<TableRow[]> {
  // Leaves of partitioned tables: each has its own topic unless publish.via.partition.root is set.
  const all = await postgres.query<TableRow>(
    `SELECT n.nspname AS schema, c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind = 'r' AND c.relpersistence = 'p' AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
      ORDER BY 1, 2`,
  );
  const pattern = tableIncludeList(capture)
    .split(',')
    .map((alternative) => `(?:${alternative})`)
    .join('|');
  const wanted = new RegExp(`^(?:${pattern})$`);
  const tables = all.filter((table) => wanted.test(`${table.schema}.${table.name}`));
  if (signal === null || tables.some((table) => quoted(table) === quoted(signal))) return tables;
  return [...tables, signal];
}

/** FOR TABLES IN SCHEMA needs a superuser, and PostgreSQL 15. */
/**
 * From PostgreSQL 18 on. Without it a table with a generated column cannot be updated at all under REPLICA IDENTITY FULL:
 * "Replica identity must not contain unpublished generated columns".
 */
async function publishesGenerated(postgres: SourceSql): Promise<boolean> {
  const [server] = await postgres.query<{ can: boolean }>(
    `SELECT current_setting('server_version_num')::int >= 180000 AS can`,
  );
  return server?.can === true;
}

async function canPublishSchema(postgres: SourceSql): Promise<boolean> {
  const [role] = await postgres.query<{ can: boolean }>(
    `SELECT rolsuper AND current_setting('server_version_num')::int >= 150000 AS can
       FROM pg_roles WHERE rolname = current_user`,
  );
  return role?.can === true;
}

/** A publication that was made for single tables is widened to the schema, so that later tables belong to it too. */
async function addSchema(options: PublicationOptions, schema: string): Promise<void> {
  const { postgres, publication, log } = options;
  const [has] = await postgres.query(
    `SELECT 1 FROM pg_publication p JOIN pg_publication_namespace s ON s.pnpubid = p.oid
       JOIN pg_namespace n ON n.oid = s.pnnspid WHERE p.pubname = $1 AND n.nspname = $2`,
    [publication, schema],
  );
  if (has !== undefined) return;
  await postgres.query(`ALTER PUBLICATION ${quoteName(publication)} ADD TABLES IN SCHEMA ${quoteName(schema)}`);
  log(`publication ${publication}: schema ${schema} added`);
}

/**
 * Drops the slot once nobody reads it, and the publication and signal table that carry our comment. Says each thing.
 * Throws CONNECTOR_FAILED when the slot is still in use after `deadlineMs`: while it stands it holds WAL.
 */
export async function removeFromSource(options: {
  readonly postgres: SourceSql;
  readonly slot: string;
  readonly publication: string;
  readonly signalTable: string;
  readonly deadlineMs: number;
  readonly log: (line: string) => void;
}): Promise<void> {
  const { postgres, log } = options;
  await dropSlot(options);
  const signal = parseTable(options.signalTable);

  const [publication] = await postgres.query<{ ours: boolean }>(
    `SELECT coalesce(obj_description(oid, 'pg_publication') = '${OURS}', false) AS ours FROM pg_publication WHERE pubname = $1`,
    [options.publication],
  );
  if (publication === undefined) log(`publication ${options.publication}: there was none`);
  else if (!publication.ours) log(`publication ${options.publication}: kept, it was not made by connectors apply`);
  else {
    await postgres.query(`DROP PUBLICATION IF EXISTS ${quoteName(options.publication)}`);
    log(`publication ${options.publication}: dropped`);
  }

  const [table] = await postgres.query<{ ours: boolean }>(
    `SELECT coalesce(obj_description(c.oid, 'pg_class') = '${OURS}', false) AS ours FROM pg_class c
       JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2`,
    [signal.schema, signal.name],
  );
  if (table?.ours !== true) return;
  await postgres.query(`DROP TABLE IF EXISTS ${quoted(signal)}`);
  log(`signal table ${signal.schema}.${signal.name}: dropped`);
}

async function dropSlot(options: {
  readonly postgres: SourceSql;
  readonly slot: string;
  readonly deadlineMs: number;
  readonly log: (line: string) => void;
}): Promise<void> {
  const { postgres, slot, log } = options;
  const deadline = performance.now() + options.deadlineMs;
  for (;;) {
    const [found] = await postgres.query<{ active: boolean; pid: number | null }>(
      'SELECT active, active_pid AS pid FROM pg_replication_slots WHERE slot_name = $1',
      [slot],
    );
    if (found === undefined) return log(`slot ${slot}: there was none`);
    if (!found.active) break;
    if (performance.now() > deadline) {
      throw new ServiceError(
        'CONNECTOR_FAILED',
        `the slot ${slot} is still read by process ${found.pid}, so it was not dropped and holds WAL`,
        {
          hint: `Stop its reader, or on the source: SELECT pg_terminate_backend(${found.pid}); then run the command again.`,
        },
      );
    }
    await pause(200);
  }
  await postgres.query('SELECT pg_drop_replication_slot($1)', [slot]);
  log(`slot ${slot}: dropped`);
}

function parseTable(name: string): TableRow {
  const dot = name.indexOf('.');
  if (dot > 0 && dot < name.length - 1) return { schema: name.slice(0, dot), name: name.slice(dot + 1) };
  throw new ServiceError('CONFIG_INVALID', 'SIGNAL_TABLE must have the form schema.table', {
    hint: 'For example SIGNAL_TABLE=public.debezium_signal.',
  });
}

function listed(tables: readonly TableRow[]): string {
  return tables.map((table) => `${table.schema}.${table.name}`).join(', ');
}

function quoted(table: TableRow): string {
  return `${quoteName(table.schema)}.${quoteName(table.name)}`;
}

function quoteName(name: string): string {
  return `"${name.replace(/"/g, '""')}"`;
}
