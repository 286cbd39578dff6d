/** The golden records of one wire as they stand in their file, and back as bytes. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Profile } from '../../src/connect/profile';
import { compileAvro, type CompiledSchema } from '../../src/debezium/avro-record';
import { keptChunk } from '../../src/delivery/kept-records';
import { OP } from '../../src/model';
import { createGatherer, type Filter, type RecordMasking } from '../../src/pipeline';
import type { ChangeBlock } from '../../src/plan/change-block';

/** Bytes as text: UTF-8; `base64:` and base64; `prefix:`, the index of a text in `prefixes`, and the rest. */
export interface GoldenFile {
  /** Where the records are from; Debezium itself if not given. */
  readonly origin?: string;
  /** Avro's writer schemas by their number in the registry. */
  readonly schemas: Readonly<Record<string, unknown>>;
  readonly prefixes: readonly string[];
  readonly records: readonly { readonly topic: string; readonly key: string | null; readonly value: string | null }[];
}

/** A captured wire, or the one that was made from the documented form of types that could not be captured. */
export type GoldenName = Profile | `documented-${Profile}`;

interface GoldenRecord {
  readonly topic: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
}

function goldenRecords(name: GoldenName): {
  readonly schemas: ReadonlyMap<number, string>;
  readonly records: readonly GoldenRecord[];
} {
  const file = JSON.parse(readFileSync(join(__dirname, `${name}.golden.json`), 'utf8')) as GoldenFile;
  const bytes = (text: string | null): Buffer | null => {
    if (text === null) return null;
    if (text.startsWith('base64:')) return Buffer.from(text.slice(7), 'base64');
    const found = /^prefix:(\d+):(.*)$/s.exec(text);
    const whole = found === null ? text : (file.prefixes[Number(found[1])] ?? '') + (found[2] ?? '');
    return Buffer.from(whole, 'utf8');
  };
  return {
    schemas: new Map(Object.entries(file.schemas).map(([id, schema]) => [Number(id), JSON.stringify(schema)])),
    records: file.records.map(({ topic, key, value }) => ({ topic, key: bytes(key), value: bytes(value) })),
  };
}

const KEEP_ALL: Filter = { ops: new Set(Object.values(OP)), keeps: () => true, isSignal: () => false };

/** What the pipeline makes of the records. */
export function gathered(
  name: GoldenName,
  masking: RecordMasking | null = null,
): { blocks: readonly ChangeBlock[]; skipped: Record<string, number> } {
  const { schemas, records } = goldenRecords(name);
  const compiled = new Map<number, CompiledSchema>();
  for (const [id, text] of schemas) {
    const schema = compileAvro(text);
    if (schema !== null) compiled.set(id, schema);
  }
  const gatherer = createGatherer({
    limits: { rows: 1000, bytes: 1 << 30 },
    filter: masking === null ? KEEP_ALL : { ...KEEP_ALL, masking },
    schemas: { find: (space, id) => (space === 'id' ? (compiled.get(id) ?? 'unknown') : 'unknown') },
    from: 0,
    redoEnd: null,
  });
  const headers = Buffer.from([0]);
  const kept = records.map(({ key, value }, offset) => ({ offset, timestampMs: 0, key, value, headers }));
  if (gatherer.feed(keptChunk({ topic: 'golden', partition: 0 }, kept)) !== null)
    throw new Error('a schema is missing');
  const blocks: ChangeBlock[] = [];
  for (let block = gatherer.takeFull() ?? gatherer.takeOpen(); block !== null;) {
    blocks.push(block);
    block = gatherer.takeFull() ?? gatherer.takeOpen();
  }
  return { blocks, skipped: Object.fromEntries(gatherer.takeSkipped()) };
}
