/** What `wire_schemas` says of the images of a table: the types in the catalogue, the connector's modes, the record's own schema. */
import { PROFILE_MODES, type ConnectorModes, type SourceColumn, type SourceTable, type WireField } from '../model';
import { imageCodec, profileCodec } from './image-codec';
import type { MirrorColumn, MirrorLayout } from './mirror-layout';
import type { ImageCodec } from './mirror-type';

/** How the JSON text of images is to be read. */
export interface WireDefinition {
  /** The catalogue's columns when the images were taken. */
  readonly columns: readonly SourceColumn[];
  readonly modes: ConnectorModes;
  /** The row by the record's own schema; null for plain JSON, which has none. */
  readonly fields: readonly WireField[] | null;
}

/** How each column of a layout is written in some images, by the column's name; columns that are not in it, as in our profile. */
export type ImageCodecs = ReadonlyMap<string, ImageCodec>;

/** The text that is kept; equal texts say the same. Modes of our profile are left out, as rows of before there were others did. */
export function definitionText(
  source: SourceTable,
  modes: ConnectorModes,
  fields: readonly WireField[] | null,
): string {
  const isProfile = JSON.stringify(sorted(modes)) === JSON.stringify(sorted(PROFILE_MODES));
  return JSON.stringify({
    wire: 'json',
    schema: source.schema,
    table: source.name,
    columns: source.columns,
    key: source.key,
    ...(isProfile ? {} : { modes: sorted(modes) }),
    ...(fields === null ? {} : { fields }),
  });
}

function sorted(modes: ConnectorModes): ConnectorModes {
  const { decimal, decimalFormat, time, binary, interval, hstore } = modes;
  return { decimal, decimalFormat, time, binary, interval, hstore };
}

/** Reads `definitionText`; null for what no version of this service wrote. */
export function readDefinition(text: string): WireDefinition | null {
  try {
    const value = JSON.parse(text) as Partial<WireDefinition> | null;
    if (!Array.isArray(value?.columns)) return null;
    return {
      columns: value.columns,
      modes: { ...PROFILE_MODES, ...value.modes },
      fields: Array.isArray(value.fields) ? value.fields : null,
    };
  } catch {
    return null;
  }
}

/** A definition of a time when the catalogue did not have the table, with the columns of now. */
export function withColumns(definition: WireDefinition, columns: readonly SourceColumn[]): WireDefinition {
  if (definition.columns.length > 0) return definition;
  // What was masked then is not known: it counts as if nothing was.
  return { ...definition, columns: columns.map(({ mask: _, ...column }) => column) };
}

/** The column of a definition that a layout's column is of. */
export function columnIn(
  { columns }: Pick<WireDefinition, 'columns'>,
  { name, attnum }: MirrorColumn,
): SourceColumn | undefined {
  return columns.find((one) => one.name === name) ?? columns.find((one) => attnum && one.attnum === attnum);
}

/** How the columns of a layout are written in images of a definition. */
export function codecsOf(layout: MirrorLayout, { columns, modes, fields }: WireDefinition): ImageCodecs {
  const codecs = new Map<string, ImageCodec>();
  for (const wanted of layout.columns) {
    const { name, codec, hashed = false } = wanted;
    const column = columns.find((one) => one.name === name);
    const isHashed = (column ?? columnIn({ columns }, wanted))?.mask === 'hash';
    if (hashed !== isHashed) codecs.set(name, { ...profileCodec(codec), notation: 'hidden' });
    else if (hashed) codecs.set(name, profileCodec(codec));
    else if (column !== undefined) {
      const field = fields?.find((one) => one.name === name) ?? null;
      codecs.set(name, imageCodec(codec, column, modes, field));
    }
  }
  return codecs;
}
