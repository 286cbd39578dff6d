/** `verify`: asks PostgreSQL, Kafka and ClickHouse that the settings name, and says whether mirrors equal their source. */
import { EXIT } from './failure';
import { refuseWhilePaused } from './paused';
import { MOST_REPAIRS, repairMirrors, type RepairSurroundings, type TableRepair } from './repair';
import { connectClickHouse } from '../clickhouse/client';
import { openControl, type Control } from '../clickhouse/control';
import { openQuarantine, WHOLE_QUARANTINE } from '../clickhouse/quarantine';
import type { Config } from '../config';
import { maskedEnvelope } from '../debezium/masked-envelope';
import { ServiceError } from '../errors';
import { openReader } from '../kafka/reader';
import { openPostgres, withSession } from '../postgres/client';
import { MOST_DOUBTFUL, renderDoubtful } from '../verify/doubtful';
import { hashKeys, type HashKeys } from '../verify/hashed-text';
import type { Progress } from '../verify/ports';
import { renderVerify } from '../verify/report';
import type { Doubts, VerifyResult } from '../verify/result';
import { verify, type VerifyOptions } from '../verify/verify';
import type { Mendable } from '../verify/verify-table';
import { connectTarget, databasesOf } from '../wiring';
import { checkMasking, maskingOf, readRuledTable } from '../wiring/masking';

/** Without any progress for so long, the connector or the service counts as standing still. */
const PATIENCE_MS = 120_000;
/** Differences described of each table; all are counted. */
const MOST_DETAILS = 1_000;
/** Statements over whole tables. */
const STATEMENT_MS = 3_600_000;

export type VerifyWhat = Pick<VerifyOptions, 'tables' | 'sample' | 'values'> & {
  /** Columns that are hashed, too. */
  readonly masked?: true;
  readonly patienceMs?: number;
  readonly mostDetails?: number;
};

/** How the command is to go on with what differs, and to print. */
export interface VerifyForm {
  readonly form: 'text' | 'json';
  /** How the owners of partitions are reached where no service runs; null: differences are told, not mended. */
  readonly repair: RepairSurroundings['runService'] | null;
  readonly print: (text: string) => void;
}

/** 0 if all that was compared is equal, 1 if not, 3 if nothing was compared, or not a table that was asked for. */
export async function runVerify(config: Config, what: VerifyWhat, how: VerifyForm): Promise<number> {
  const bar = how.form === 'text' && process.stderr.isTTY ? showProgress : null;
  const look = async (at: VerifyWhat): Promise<Look> => {
    const mendable: Mendable[] = [];
    const compared = await verifyMirrors(config, at, (progress) => bar?.(progress), mendable);
    const result = { ...compared, ...(await doubtsOf(config, at.tables)) };
    if (bar !== null) process.stderr.write('\r\x1b[K');
    return { result, mendable };
  };
  await refuseWhilePaused(config, 'verify', null);
  const first = await look(how.repair === null ? what : { ...what, mostDetails: MOST_REPAIRS });
  if (first.result.equal || how.repair === null) {
    how.print(how.form === 'json' ? JSON.stringify(first.result, null, 2) : inWords(first.result));
    return exitCodeFor(first.result, what);
  }
  return mend(config, what, first, { ...how, repair: how.repair, look });
}

type Judged = VerifyResult & Doubts;

function inWords(result: Judged): string {
  return [renderVerify(result), ...renderDoubtful(result.doubtful, result.doubtfulCount)].join('\n');
}

interface Look {
  readonly result: Judged;
  readonly mendable: readonly Mendable[];
}

/** Has the differing keys mended, looks at their tables again, and goes by that. */
async function mend(
  config: Config,
  what: VerifyWhat,
  { result: before, mendable }: Look,
  {
    form,
    repair,
    print,
    look,
  }: VerifyForm & { repair: RepairSurroundings['runService']; look: (at: VerifyWhat) => Promise<Look> },
): Promise<number> {
  if (form === 'text') print(inWords(before));
  const repairs = await repairMirrors(config, mendable, {
    runService: repair,
    onBegin: (by) => {
      if (form === 'text')
        print(by === 'service' ? 'The running service mends it.' : 'No service runs, so this process mends it.');
    },
  });
  const differing = before.tables.filter(({ differences }) => differences > 0).map(({ table }) => table);
  const { result } = await look({ ...what, tables: differing });
  if (form === 'json') print(JSON.stringify({ ...result, repair: { before, repairs } }, null, 2));
  else print([...repairs.map(renderRepair), 'looked again:', inWords(result)].join('\n'));
  return exitCodeFor(result, what);
}

function exitCodeFor({ equal, tables, skipped }: VerifyResult, what: VerifyWhat): number {
  if (!equal) return EXIT.findings;
  return tables.length === 0 || (what.tables !== null && skipped.length > 0) ? EXIT.failed : EXIT.done;
}

function renderRepair({ table, mended, right, lost, left }: TableRepair): string {
  if (left !== undefined) return `${table}: not mended, ${left}`;
  const others = [
    ...(right > 0 ? [`${right} had become right`] : []),
    ...(lost > 0 ? [`${lost} cannot be, changes does not hold their values`] : []),
  ];
  return [`${table}: ${mended} keys mended`, ...others].join(', ');
}

/** What is open in quarantine, of the tables asked for and of topics whose table is not known. */
async function doubtsOf(config: Config, tables: readonly string[] | null): Promise<Doubts> {
  const clickhouse = connectTarget(config);
  try {
    const quarantine = openQuarantine(clickhouse, databasesOf(config).machinery);
    const concerned = (table: string): boolean => table === '' || tables === null || tables.includes(table);
    const groups = (await quarantine.groups(WHOLE_QUARANTINE)).filter(({ table }) => concerned(table));
    const doubtfulCount = groups.reduce((sum, { records }) => sum + records, 0);
    const records = doubtfulCount === 0 ? [] : await quarantine.records(WHOLE_QUARANTINE, MOST_DOUBTFUL);
    const doubtful = records
      .filter(({ table }) => concerned(table))
      .map(({ table, column, topic, partition, offset, code }) => ({ table, column, topic, partition, offset, code }));
    return { doubtful, doubtfulCount };
  } finally {
    await clickhouse.close();
  }
}

/** Throws VERIFY_TIMED_OUT, CONFIG_INVALID where PG_URL is not set, and what PostgreSQL, Kafka and ClickHouse give. */
export async function verifyMirrors(
  config: Config,
  what: VerifyWhat,
  onProgress: (progress: Progress) => void,
  mendable: Mendable[] = [],
): Promise<VerifyResult> {
  const { postgres: source, clickhouse: target, kafka } = config;
  if (source === null) {
    throw new ServiceError('CONFIG_INVALID', 'verify needs PG_URL, and it is not set.', {
      hint: 'Set it in the environment or in .env, for example PG_URL=postgres://user:password@host:5432/database',
    });
  }
  const postgres = openPostgres(source);
  const clickhouse = connectClickHouse({
    ...target,
    application: 'debezium-clickhouse verify',
    requestTimeoutMs: STATEMENT_MS,
  });
  const reader = openReader({ ...kafka, holdMs: 0 });
  const control = openControl(clickhouse, `${target.database}_cdc`);
  try {
    return await verify(
      {
        ...what,
        topicPrefix: config.topicPrefix,
        machinery: `${target.database}_cdc`,
        rules: config.columns,
        hashKeys: await keysFor(config, what, control),
        patienceMs: what.patienceMs ?? PATIENCE_MS,
        mostDetails: what.mostDetails ?? MOST_DETAILS,
      },
      {
        inSession: (use) => withSession(source, use),
        source: postgres,
        readTable: (session, schema, name) =>
          readRuledTable((sql, params) => session.query(sql, params), { schema, name }, { config, control }),
        envelopeText: envelopes(config),
        mirror: { query: (sql) => clickhouse.query(sql) },
        kafka: reader,
        onProgress,
        onMendable: (one) => mendable.push(one),
        now: () => performance.now(),
        sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
      },
    );
  } finally {
    await Promise.allSettled([postgres.close(), clickhouse.close(), reader.close()]);
  }
}

/** With another secret than that of the target every hash would differ. */
async function keysFor(
  config: Config,
  { masked }: VerifyWhat,
  { get }: Pick<Control, 'get'>,
): Promise<HashKeys | null> {
  if (masked !== true || !maskingOf(config).any) return null;
  await checkMasking(config, { get, set: () => Promise.resolve() }, null);
  return hashKeys(config.maskSecret);
}

/** Statements are kept in ClickHouse's log, so masked values are in none. */
function envelopes(config: Config): (value: Uint8Array) => string | null {
  const { records } = maskingOf(config);
  if (records !== undefined) return (value) => maskedEnvelope(value, (schema, table) => records.of(schema, table));
  return (value) => Buffer.from(value.buffer, value.byteOffset, value.length).toString('utf8');
}

/** One line that is written over. */
function showProgress({ phase, table, done, total }: Progress): void {
  const part =
    total > 0
      ? ` ${Math.round((done / total) * 100)} % ${'#'.repeat(Math.round((done / total) * 20)).padEnd(20, '.')}`
      : '';
  process.stderr.write(`\r\x1b[K${table === '' ? '' : `${table}: `}${phase}${part}`);
}
