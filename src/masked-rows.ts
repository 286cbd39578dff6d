/** Rows of `changes` as they may be shown: of those from before a rule, what it masks is masked now. */
import type { WireSchemas } from './clickhouse/wire-schemas';
import { JsonOutput } from './debezium/json-output';
import type { ImageMask } from './debezium/image-mask';
import type { Masking } from './masking';

interface Imaged {
  readonly schema: string;
  readonly table: string;
  /** `changes.wire_schema`, in decimal digits. */
  readonly wire: string;
  readonly key: string;
  readonly before: string;
  readonly after: string;
}

export async function maskedRows<T extends Imaged>(
  rows: readonly T[],
  masking: Pick<Masking, 'records' | 'mask'>,
  wires: Pick<WireSchemas, 'read'>,
): Promise<T[]> {
  const { records } = masking;
  if (records === undefined) return [...rows];
  const concerned = rows.filter(({ schema, table }) => records.of(schema, table) !== null);
  const definitions = await wires.read(concerned.map(({ wire }) => wire));
  const masks = new Map<string, ImageMask>();
  const maskOf = ({ schema, table, wire }: Imaged): ImageMask | null => {
    const own = records.of(schema, table);
    if (own === null) return null;
    const known = masks.get(`${wire} ${schema}.${table}`);
    if (known !== undefined) return known;
    const then = new Map(definitions.get(wire)?.columns.map(({ name, mask }) => [name, mask]));
    const mask = masking.mask((column) => (then.get(column) === 'hash' ? null : own.of(column)));
    masks.set(`${wire} ${schema}.${table}`, mask);
    return mask;
  };
  return rows.map((row) => {
    const mask = maskOf(row);
    if (mask === null) return row;
    const [key, before, after] = [row.key, row.before, row.after].map((text) => maskedText(text, mask));
    return { ...row, key, before, after };
  });
}

function maskedText(text: string, mask: ImageMask): string {
  if (text === '') return text;
  const bytes = Buffer.from(text, 'utf8');
  const output = new JsonOutput();
  mask.write(bytes, 0, bytes.length, output);
  return Buffer.from(output.bytes.buffer, 0, output.at).toString('utf8');
}
