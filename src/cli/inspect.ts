/** `inspect`: one record, explained step by step, and what of it is in ClickHouse. Kafka is read beside the group. */
import { choicesOf } from '../column-rules';
import { readWidened } from '../delivery/widened';
import { EXIT } from './failure';
import { mirrorName, publicName } from '../clickhouse/ddl';
import { isCounted, mirrorLayout } from '../clickhouse/mirror-layout';
import { openControl, type Control } from '../clickhouse/control';
import { openQuarantine, WHOLE_QUARANTINE } from '../clickhouse/quarantine';
import { writtenRows, type WrittenChange, type WrittenRow, type WrittenRows } from '../clickhouse/written-rows';
import { placeOf, type Place } from './place';
import { withoutControls } from './table';
import type { Config } from '../config';
import type { KeptRecord } from '../delivery/kept-records';
import { explainEnvelope, explainMode, explainTypes, type Step } from '../inspect/explain';
import { openReader, type KafkaReader } from '../kafka/reader';
import { recordsAt } from '../kafka/records-at';
import { placeholderOf } from '../placeholder';
import { PROFILE_MODES, tableName, type SourceTable } from '../model';
import type { ChangeBlock } from '../plan/change-block';
import type { MirrorRows } from '../plan/mirror-rows';
import { openPostgres } from '../postgres/client';
import { connectTarget, databasesOf, filterOf, schemasOf } from '../wiring';
import { maskingOf, readRuledTable } from '../wiring/masking';

export interface InspectFlags {
  readonly values?: true;
}

export interface Explanation extends Place {
  readonly steps: readonly Step[];
}

const READ_MS = 30_000;

/** 0 where the record was found in Kafka or in ClickHouse, 1 where neither has it. */
export async function inspectCommand(
  config: Config,
  text: string,
  { values }: InspectFlags,
  { form, print }: { readonly form: 'text' | 'json'; readonly print: (text: string) => void },
): Promise<number> {
  const place = placeOf(text);
  const { found, explanation } = await inspect(config, place, values === true ? 'shown' : 'hidden');
  if (form === 'json') print(JSON.stringify(explanation, null, 2));
  else for (const line of explanationText(explanation)) print(line);
  return found ? EXIT.done : EXIT.findings;
}

export function explanationText({ topic, partition, offset, steps }: Explanation): string[] {
  return [
    `${topic}:${partition}:${offset}`,
    ...steps.flatMap(({ step, lines }, index) => [
      `${index + 1}. ${step}`,
      ...lines.map((line) => `   ${withoutControls(line)}`),
    ]),
  ];
}

interface Looking {
  readonly config: Config;
  readonly place: Place;
  readonly values: 'hidden' | 'shown';
  readonly rows: WrittenRows;
  readonly control: Pick<Control, 'get'>;
}

async function inspect(
  config: Config,
  place: Place,
  values: 'hidden' | 'shown',
): Promise<{ found: boolean; explanation: Explanation }> {
  const reader = openReader({ ...config.kafka, holdMs: 0 });
  const clickhouse = connectTarget(config);
  const { machinery } = databasesOf(config);
  const looking: Looking = {
    config,
    place,
    values,
    rows: writtenRows(clickhouse, machinery),
    control: openControl(clickhouse, machinery),
  };
  try {
    const [record, reason] = await fetchOne(place, reader);
    const opened = record === null ? null : await openRecord(record, looking);
    const steps = [...(opened?.steps ?? [{ step: 'bytes' as const, lines: [reason] }])];
    const [held] = await openQuarantine(clickhouse, machinery).records(
      { ...WHOLE_QUARANTINE, place, states: 'all' },
      1,
    );
    const written = await looking.rows.change(place);
    const lines = [
      written === null ? 'changes: no row at this offset.' : changeLine(written),
      ...(held === undefined ? [] : [`quarantine: ${held.code}, ${held.state}: ${held.message}`]),
      ...(await keyLines(written, opened, looking)),
    ];
    const found = record !== null || written !== null || held !== undefined;
    return { found, explanation: { ...place, steps: [...steps, { step: 'rows', lines }] } };
  } finally {
    await Promise.allSettled([reader.close(), clickhouse.close()]);
  }
}

interface OpenedRecord {
  readonly steps: readonly Step[];
  readonly change: ChangeBlock | null;
  /** The row of the key, where it can be read. */
  readonly images: MirrorRows | null;
}

async function openRecord(record: KeptRecord, looking: Looking): Promise<OpenedRecord> {
  const { config, place, values } = looking;
  const schemas = schemasOf(config, () => undefined);
  const options = {
    filter: filterOf(config),
    schemas,
    values,
    placeholder: placeholderOf(config.unavailableValue),
    late: null,
  };
  let explained = explainEnvelope(place, record, options);
  while (explained.needed !== null && config.registry !== null) {
    await schemas.resolve(explained.needed, AbortSignal.timeout(READ_MS));
    explained = explainEnvelope(place, record, options);
  }
  if (explained.change === null) return { ...explained, images: null };
  const source = await sourceOf(explained.change, looking);
  const late = typeof source === 'string' ? null : maskingOf(config).late(source);
  // Columns that were renamed are masked by what the catalogue tells.
  if (late !== null) explained = explainEnvelope(place, record, { ...options, late: late.of(late.columns) });
  const { steps, change } = explained;
  if (change === null) return { steps, change, images: null };
  const typed = await typesOf(change, source, looking);
  return { steps: [...steps, ...typed.steps], change, images: typed.images };
}

async function keyLines(
  written: WrittenChange | null,
  opened: OpenedRecord | null,
  { config, place, values, rows }: Looking,
): Promise<string[]> {
  const name = written === null ? nameOf(opened?.change) : { schema: written.schema, table: written.table };
  if (name === null) return [];
  const key = written === null ? opened?.change?.key.textAt(0) : written.key;
  const newer = key ? await newerLine(place, name, key, rows) : [];
  const images = opened?.images ?? null;
  return images === null ? newer : [...newer, ...(await mirrorLines(config, name, place, { images, rows, values }))];
}

async function fetchOne(place: Place, reader: KafkaReader): Promise<[KeptRecord, ''] | [null, string]> {
  const { topic, partition, offset } = place;
  if (!(await reader.topics()).includes(topic)) return [null, `Kafka has no topic ${topic}.`];
  const held = (await reader.bounds(topic)).find((one) => one.partition === partition);
  if (held === undefined) return [null, `The topic has no partition ${partition}.`];
  if (offset < held.low) return [null, `Kafka has dropped it: the partition begins at offset ${held.low} now.`];
  if (offset >= held.high) return [null, `The partition ends before it, at offset ${held.high}.`];
  const record = (await recordsAt(reader, place, [offset], AbortSignal.timeout(READ_MS))).get(offset);
  if (record !== undefined) return [record, ''];
  return [null, 'No record is visible there: it is the end of a transaction, or of one that was aborted.'];
}

/** The table of a change; a text says why it is not known. */
async function sourceOf(change: ChangeBlock, { config, control }: Looking): Promise<SourceTable | string> {
  const table = change.tables[0] ?? { schema: '', name: '' };
  if (config.postgres === null) return 'PG_URL is not set, so the types are not known: it is audited, not mirrored.';
  const postgres = openPostgres(config.postgres.url);
  try {
    const query = (sql: string, params: readonly unknown[]): Promise<object[]> => postgres.query(sql, params);
    const source = await readRuledTable(query, table, { config, control });
    return source ?? `PostgreSQL has no table ${tableName(table)} (any more): TABLE_UNKNOWN.`;
  } finally {
    await postgres.close();
  }
}

async function typesOf(
  change: ChangeBlock,
  source: SourceTable | string,
  { config, place, rows, control }: Looking,
): Promise<{ steps: Step[]; images: MirrorRows | null }> {
  const say = (line: string): { steps: Step[]; images: null } => ({
    steps: [{ step: 'types', lines: [line] }],
    images: null,
  });
  if (typeof source === 'string') return say(source);
  const layout = mirrorLayout(source, choicesOf(config.columns, source, await readWidened(control, source)));
  if ('code' in layout) return say(`The table is audited, not mirrored: ${layout.code}.`);
  const typed = explainTypes(change, source, layout, {
    placeholder: placeholderOf(config.unavailableValue),
    modes: config.connector.modes ?? PROFILE_MODES,
  });
  const facts = {
    identity: source.identity,
    placeholder: placeholderOf(config.unavailableValue),
    highest: await rows.highest(place),
  };
  // Without a key there is no row that is this record's.
  const images = isCounted(layout) ? null : typed.images;
  return { steps: [typed.step, explainMode(change, facts)], images };
}

function nameOf(change: ChangeBlock | null | undefined): { schema: string; table: string } | null {
  const table = change?.tables[0];
  return table === undefined ? null : { schema: table.schema, table: table.name };
}

const COUNTED = [
  'it counts',
  'Debezium had sent it before, so it counts in no view',
  'it was forgotten, so its key and images are empty',
];

function changeLine({ ingestedAt, redelivered, unavailable }: WrittenChange): string {
  const withheld = unavailable.length === 0 ? '' : `, withheld: ${unavailable.join(', ')}`;
  return `changes: one row, written ${ingestedAt}; ${COUNTED[redelivered] ?? ''}${withheld}.`;
}

async function newerLine(
  place: Place,
  name: { schema: string; table: string },
  key: string,
  rows: WrittenRows,
): Promise<string[]> {
  const newest = await rows.newestOfKey({ ...place, ...name }, key);
  if (newest === null || newest === place.offset) return [];
  return newest > place.offset
    ? [`A newer event of the same key is in changes, at offset ${newest}: it decides the mirror.`]
    : [];
}

async function mirrorLines(
  config: Config,
  { schema, table }: { schema: string; table: string },
  place: Place,
  { images, rows, values }: { images: MirrorRows; rows: WrittenRows; values: 'hidden' | 'shown' },
): Promise<string[]> {
  const route = config.tables.routes.get(tableName({ schema, name: table }));
  if (route === null) return ['mirror: ROUTES leaves the table out.'];
  const mirror = mirrorName(route ?? publicName(schema, table));
  if (!(await rows.stands(mirror))) return [`mirror: there is no ${mirror}.`];
  const standing = await rows.ofKey(mirror, images);
  if (standing.length === 0) return [`${mirror}: no row of its key stands.`];
  return standing.flatMap((row) => rowLines(mirror, row, place, values));
}

function rowLines(mirror: string, row: WrittenRow, place: Place, values: 'hidden' | 'shown'): string[] {
  const own = row.topic === place.topic && row.partition === place.partition && row.offset === place.offset;
  const from = own ? 'from this record' : `from ${row.topic}:${row.partition}:${row.offset}`;
  return [
    `${mirror}: a row of its key stands, sign ${row.sign}, ${from}, committed ${row.committed}.`,
    ...(values === 'shown' ? [`  ${JSON.stringify(row.values)}`] : []),
  ];
}
