/** The ways in which the rows of one table are written: each is kept in `wire_schemas`, and known to the views, before a row refers to it. */
import { imageForms, isMixed, type ImageForms } from '../clickhouse/image-forms';
import type { MirrorLayout } from '../clickhouse/mirror-layout';
import { columnIn, definitionText, readDefinition, type WireDefinition } from '../clickhouse/wire-definition';
import type { WireSchemas } from '../clickhouse/wire-schemas';
import type { ConnectorModes, SourceTable, WireSchema } from '../model';
import type { WideId } from '../plan/audit-rows';
import type { ImageReaders } from './image-readers';
import type { RowWire } from './ports';

const REFERENCE = '#';

/** Stands for the schema of rows that come from `changes`: their entry in `wire_schemas`, whatever it says. */
export function wireReference(id: string): WireSchema | null {
  return { fields: [], fingerprint: REFERENCE + id };
}

export interface TableWiresOptions {
  /** As the catalogue has it; null where it does not. */
  readonly source: SourceTable | null;
  readonly schema: string;
  readonly table: string;
  readonly modes: ConnectorModes;
  readonly wires: WireSchemas;
}

/** What follows from a mirror that stands. */
export interface MirrorWires {
  readonly layout: MirrorLayout;
  readonly readers: ImageReaders;
  /** Brings the views in line with the forms. */
  readonly show: (forms: ImageForms) => Promise<void>;
}

/** How all images of a table are written, and the definitions by which that is known. */
export interface FormsFound {
  readonly forms: ImageForms;
  readonly definitions: ReadonlyMap<string, WireDefinition>;
}

/** The id of plain JSON, and how all images of the table in `changes` are written. */
export async function formsOf(layout: MirrorLayout, options: TableWiresOptions): Promise<FormsFound> {
  const { source, schema, table, modes, wires } = options;
  const id = source === null ? '0' : (await wires.record({ schema, table }, definitionText(source, modes, null))).text;
  const definitions = await wires.ofTable(schema, table);
  const forms = imageForms(layout, definitions, id, 'some');
  // Rows without an id matter, and are looked for, only where they would be read in another way than the others.
  if (!isMixed(forms) || (await wires.hasRowsWithout(schema, table))) return { forms, definitions };
  return { forms: imageForms(layout, definitions, id, 'none'), definitions };
}

/** Columns of which `changes` has images that are masked in another way than now; `inKey`: one of them is in the key. */
export interface OtherMasks {
  readonly columns: readonly string[];
  readonly inKey: boolean;
}

/** What of the table in `changes` was masked in another way than the layout says; null for nothing. */
export async function otherMasks(
  layout: MirrorLayout,
  definitions: FormsFound['definitions'],
  { schema, table, wires }: TableWiresOptions,
): Promise<OtherMasks | null> {
  const dropped = layout.omitted.filter(({ reason }) => reason === 'masked').map(({ name }) => name);
  const differing = ({ columns }: WireDefinition): string[] => [
    ...layout.columns
      .filter((column) => {
        const then = columnIn({ columns }, column);
        return then !== undefined && (then.mask === 'hash') !== (column.hashed ?? false);
      })
      .map(({ name }) => name),
    ...columns.filter(({ name, mask }) => dropped.includes(name) && mask !== 'drop').map(({ name }) => name),
  ];
  const found = new Map<string, readonly string[]>();
  const masked = [...layout.columns.filter(({ hashed }) => hashed).map(({ name }) => name), ...dropped];
  if (masked.length > 0) found.set('0', masked);
  for (const [id, definition] of definitions) {
    const columns = differing(definition);
    if (columns.length > 0) found.set(id, columns);
  }
  const held = new Set<string>();
  for (const [id, columns] of found)
    if (await wires.hasRowsOf(schema, table, [id])) for (const column of columns) held.add(column);
  if (held.size === 0) return null;
  return { columns: [...held], inKey: layout.key.some((index) => held.has(layout.columns[index]?.name ?? '')) };
}

/** `OpenTable.wire`, asked once for each schema. `shown` are the forms that the views know already. */
export function tableWires(
  options: TableWiresOptions,
  mirror: MirrorWires | null,
  shown: ImageForms | null,
): (schema: WireSchema | null) => Promise<RowWire> {
  const known = new Map<string, Promise<RowWire>>();
  let forms = JSON.stringify(shown, withMaps);

  const refer = async (id: string): Promise<RowWire> => {
    const definition = (await options.wires.read([id])).get(id) ?? null;
    return { id: wideId(id), transcoder: mirror?.readers.of(definition) ?? null };
  };

  const keep = async (schema: WireSchema | null): Promise<RowWire> => {
    const { source, schema: of, table, modes, wires } = options;
    const described = source ?? { schema: of, name: table, identity: 'nothing', columns: [], key: [] };
    const text = definitionText(described, modes, schema?.fields ?? null);
    const { wide } = await wires.record({ schema: of, table }, text);
    if (mirror === null) return { id: wide, transcoder: null };
    const { forms: now } = await formsOf(mirror.layout, options);
    const nowText = JSON.stringify(now, withMaps);
    if (nowText !== forms) {
      await mirror.show(now);
      forms = nowText;
    }
    return { id: wide, transcoder: mirror.readers.of(readDefinition(text)) };
  };

  return (schema) => {
    const key = schema?.fingerprint ?? '';
    const found = known.get(key);
    if (found !== undefined) return found;
    const wire = key.startsWith(REFERENCE) ? refer(key.slice(REFERENCE.length)) : keep(schema);
    known.set(key, wire);
    wire.catch(() => known.delete(key));
    return wire;
  };
}

function wideId(id: string): WideId {
  const value = BigInt(id);
  return { low: Number(BigInt.asIntN(32, value)), high: Number(BigInt.asIntN(32, value >> 32n)) };
}

function withMaps(_: string, value: unknown): unknown {
  return value instanceof Map ? [...(value as Map<unknown, unknown>)] : value;
}
