/** `forget`: erases the events of one key from ClickHouse, and says what Kafka still holds of them. */
import { randomBytes } from 'node:crypto';
import { EXIT } from './failure';
import { agreed, whoAsks } from './person';
import { schemaAndTable } from './place';
import { count } from './progress';
import { EXIT_INTERRUPTED, haveDone, type AskingCommand } from './request';
import { openControl } from '../clickhouse/control';
import { openEraser, type KeyPast } from '../clickhouse/eraser';
import { findKeys, type KeyValues } from '../clickhouse/find-keys';
import type { ClickHouse } from '../clickhouse/client';
import type { Config } from '../config';
import { isJsonNumber, parseImage } from '../debezium/json-value';
import type { ForgetRequest } from '../delivery/forget';
import { keyHash } from '../delivery/forgotten-rows';
import { ServiceError } from '../errors';
import { openReader, type KafkaReader } from '../kafka/reader';
import type { Masking } from '../masking';
import { connectTarget, databasesOf } from '../wiring';
import { maskingOf } from '../wiring/masking';

export interface ForgetFlags {
  readonly table: string;
  readonly key: string;
  readonly yes?: true;
  readonly dryRun?: true;
}

/** What Kafka has of the key's events yet. */
export interface HeldByKafka {
  readonly topic: string;
  readonly partition: number;
  /** Offsets, both held. */
  readonly first: number;
  readonly last: number;
  /** When Kafka may drop the last of them, at the earliest and at the latest, ISO 8601; null: never, by its settings. */
  readonly until: { readonly earliest: string; readonly latest: string } | null;
}

/** 0 when it is erased, or nothing was to be; 130 after Ctrl-C. Throws REQUEST_FAILED where it was not, or not in all partitions. */
export async function forgetCommand(config: Config, flags: ForgetFlags, around: AskingCommand): Promise<number> {
  const { form, print } = around;
  const clickhouse = connectTarget(config);
  const reader = openReader({ ...config.kafka, holdMs: 0 });
  try {
    const request = await requestOf(config, flags, clickhouse);
    if (request.hashes.length === 0) {
      print(form === 'json' ? JSON.stringify({ keys: 0 }) : `changes has no event of that key of ${flags.table}.`);
      return EXIT.done;
    }
    const pasts = await openEraser(clickhouse, databasesOf(config).machinery).pasts(request);
    const kafka = await heldByKafka(pasts, reader);
    const events = pasts.reduce((sum, one) => sum + one.events, 0);
    if (form === 'text') {
      print(`${count(events)} events of that key are in changes, in ${placesText(pasts)}.`);
      for (const line of heldText(kafka)) print(line);
    }
    if (request.unlessLiving && pasts.some(({ living }) => living > 0)) throw living(flags.table);
    if (flags.dryRun === true) {
      print(form === 'json' ? JSON.stringify({ events, kafka }, null, 2) : 'Nothing was erased: --dry-run.');
      return EXIT.done;
    }
    if (!(await agreed('Erase them for good?', flags.yes, 'no'))) {
      if (!process.stdin.isTTY) throw unconfirmed();
      print('Nothing was erased.');
      return EXIT.done;
    }
    return await erase(request, pasts, kafka, { ...around, config, reader });
  } finally {
    await Promise.allSettled([clickhouse.close(), reader.close()]);
  }
}

async function erase(
  request: ForgetRequest,
  pasts: readonly KeyPast[],
  kafka: readonly HeldByKafka[],
  at: AskingCommand & { readonly config: Config; readonly reader: KafkaReader },
): Promise<number> {
  const { config, reader, runService, form, print } = at;
  const asking = { config, reader, runService, onAnswers: () => undefined, onBegin: () => undefined };
  const outcome = await haveDone({ kind: 'forget', ...request }, asking);
  if (outcome.kind === 'left') return EXIT_INTERRUPTED;
  const failed = outcome.answers.flatMap(({ state, message }) => (state === 'failed' ? [message ?? ''] : []));
  const sum = (name: string): number => outcome.answers.reduce((all, { counts }) => all + (counts?.[name] ?? 0), 0);
  if (failed.length > 0 || sum('partitions') < pasts.length) {
    const why = failed.length > 0 ? failed.join(' ') : 'Not all of its partitions are owned by a process of the group.';
    throw new ServiceError('REQUEST_FAILED', `Not everything was erased: ${why}`, {
      hint: 'Ask again: what is erased already stays so.',
    });
  }
  const [events, quarantined] = [sum('events'), sum('quarantined')];
  if (form === 'json') {
    print(JSON.stringify({ events, quarantined, kafka }, null, 2));
    return EXIT.done;
  }
  print(
    `${count(events)} events are erased from changes (their offsets stay, empty), with the mirror's rows` +
      `${quarantined === 0 ? '' : ` and ${count(quarantined)} records of quarantine`}. A replay or a rebuild does not bring them back.`,
  );
  if (kafka.length > 0)
    print('What Kafka holds is beyond this command; so are backups, and rows that another key carries.');
  return EXIT.done;
}

/** The keys as hashes: nothing that says who it is leaves this process. */
async function requestOf(config: Config, { table, key }: ForgetFlags, clickhouse: ClickHouse): Promise<ForgetRequest> {
  const { machinery } = databasesOf(config);
  const names = schemaAndTable(table);
  const keys = new Set<string>();
  for (const values of keyForms(maskingOf(config), names, keyValues(key)))
    for (const one of await findKeys(clickhouse, machinery, { ...names, values })) keys.add(one);
  const control = openControl(clickhouse, machinery);
  let salt = await control.get('forget-salt');
  if (salt === null) await control.set('forget-salt', (salt = randomBytes(16).toString('hex')));
  const hashes = [...keys].map((one) => keyHash(salt, one));
  return { ...names, salt, hashes, who: whoAsks(), unlessLiving: config.ops.has('d') };
}

/** The key as it was given, and where its columns are masked as it stands in `changes`; rows of before the mask have the former. */
function keyForms(
  { records, hash }: Masking,
  { schema, table }: { readonly schema: string; readonly table: string },
  values: KeyValues,
): KeyValues[] {
  const mask = records?.of(schema, table) ?? null;
  if (mask === null) return [values];
  const masked = values.map(({ column, value }) => {
    const isMasked = column === null || mask.of(column) === 'hash';
    return { column, value: isMasked ? hash(Buffer.from(value, 'utf8')) : value };
  });
  return [values, masked];
}

/** `{"id":1}` names the columns; anything else is the value of the key's only column. Throws CONFIG_INVALID. */
export function keyValues(text: string): KeyValues {
  if (!text.trimStart().startsWith('{')) return [{ column: null, value: text }];
  const bytes = Buffer.from(text, 'utf8');
  const members = parseImage(bytes, 0, bytes.length);
  const values = [...(members ?? [])].map(([column, value]) => {
    if (typeof value === 'string' || typeof value === 'boolean') return { column, value: String(value) };
    if (value !== null && isJsonNumber(value)) return { column, value: value.text };
    return null;
  });
  const known = values.filter((value) => value !== null);
  if (known.length > 0 && known.length === values.length) return known;
  throw new ServiceError(
    'CONFIG_INVALID',
    '--key must be the value of the key column, or a JSON object of the key columns.',
    {
      hint: `For example: --key 42, or --key '{"region":"eu","id":42}'`,
    },
  );
}

async function heldByKafka(pasts: readonly KeyPast[], reader: KafkaReader): Promise<HeldByKafka[]> {
  const topics = new Set(await reader.topics());
  const held: HeldByKafka[] = [];
  for (const { topic, partition, first, last, lastMs } of pasts) {
    if (!topics.has(topic)) continue;
    const low = (await reader.bounds(topic)).find((one) => one.partition === partition)?.low ?? 0;
    if (last < low) continue;
    const { ms, segmentMs } = await reader.retention(topic);
    const until =
      ms === null
        ? null
        : {
            earliest: new Date(lastMs + ms).toISOString(),
            latest: new Date(lastMs + ms + (segmentMs ?? 0)).toISOString(),
          };
    held.push({ topic, partition, first: Math.max(first, low), last, until });
  }
  return held;
}

function placesText(pasts: readonly KeyPast[]): string {
  return pasts.map(({ topic, partition, first, last }) => `${topic}:${partition} from ${first} to ${last}`).join(', ');
}

function heldText(kafka: readonly HeldByKafka[]): string[] {
  if (kafka.length === 0) return ['Kafka holds none of them any more.'];
  return kafka.map(({ topic, partition, first, last, until }) => {
    const when =
      until === null
        ? 'its settings never drop them'
        : `dropped between ${until.earliest} and ${until.latest} by its settings`;
    return `Kafka still holds them in ${topic}:${partition}, offsets ${first} to ${last}; ${when}.`;
  });
}

function living(table: string): ServiceError {
  return new ServiceError('REQUEST_FAILED', `A row of that key still lives in ${table}, as far as changes knows.`, {
    place: { table },
    hint: 'Delete it in PostgreSQL first; once the delete has arrived, ask again. Erased while it lives, its next change would bring it back.',
  });
}

function unconfirmed(): ServiceError {
  return new ServiceError('CONFIG_INVALID', 'Nobody could be asked, and --yes was not given.', {
    hint: 'Look with --dry-run, then give --yes. What is erased cannot be brought back.',
  });
}
