/** How the images of one table in `changes` are written, all of them together: what the views choose their expressions by. */
import type { ImageCodec } from './mirror-type';
import type { MirrorColumn, MirrorLayout } from './mirror-layout';
import { codecsOf, withColumns, type ImageCodecs, type WireDefinition } from './wire-definition';
import { changeExpression } from './change-expression';
import { profileCodec } from './image-codec';

/** Images of some wire schemas, by `changes.wire_schema`. */
interface OtherForms {
  readonly ids: readonly string[];
  readonly codecs: ImageCodecs;
}

export interface ImageForms {
  /** How images are written whose wire schema is none of the others. */
  readonly codecs: ImageCodecs;
  readonly others: readonly OtherForms[];
}

/** All images as our profile writes them. */
export const PROFILE_FORMS: ImageForms = { codecs: new Map(), others: [] };

/** The id of rows that were written before there were ids: as our profile writes. */
const NO_ID = '0';

/**
 * The forms of a table's images.
 * @param definitions by id, as decimal digits
 * @param newest the id of what is written now; an id that is not known yet is taken for one of its kind
 * @param without whether some rows have no id
 */
export function imageForms(
  layout: MirrorLayout,
  definitions: ReadonlyMap<string, WireDefinition>,
  newest: string,
  without: 'some' | 'none',
): ImageForms {
  const present = definitions.get(newest);
  const columns = present?.columns ?? [];
  const codecs: ImageCodecs = present === undefined ? new Map<string, ImageCodec>() : codecsOf(layout, present);
  const groups = new Map<string, { ids: string[]; codecs: ImageCodecs }>();
  const add = (id: string, of: ImageCodecs): void => {
    const text = codecsText(layout, of);
    if (text === codecsText(layout, codecs)) return;
    const group = groups.get(text);
    if (group === undefined) groups.set(text, { ids: [id], codecs: of });
    else group.ids.push(id);
  };
  // They are of a time when nothing was masked.
  if (without === 'some')
    add(
      NO_ID,
      new Map(
        layout.columns.flatMap(({ name, codec, hashed }) => {
          return hashed ? [[name, { ...profileCodec(codec), notation: 'hidden' }] as const] : [];
        }),
      ),
    );
  for (const [id, definition] of definitions) add(id, codecsOf(layout, withColumns(definition, columns)));
  return { codecs, others: [...groups.values()].map((group) => ({ ...group, ids: group.ids.sort() })) };
}

/** Whether rows of one table may be written in several ways. */
export function isMixed({ others }: ImageForms): boolean {
  return others.length > 0;
}

/**
 * The typed value of a column in `image`, by the way in which that image is written.
 * @param wire the expression that has the image's `wire_schema`
 */
export function expressionByForms(column: MirrorColumn, image: string, forms: ImageForms, wire: string): string {
  const own = codecOf(column, forms.codecs);
  const ids = new Map<string, string[]>();
  const codecs = new Map<string, ImageCodec>();
  for (const other of forms.others) {
    const codec = codecOf(column, other.codecs);
    const text = JSON.stringify(codec);
    if (text === JSON.stringify(own)) continue;
    ids.set(text, [...(ids.get(text) ?? []), ...other.ids]);
    codecs.set(text, codec);
  }
  const present = changeExpression(column, image, own);
  if (ids.size === 0) return present;
  const branches = [...ids].map(([text, some]) => {
    return `${wire} IN (${some.join(', ')}), ${changeExpression(column, image, codecs.get(text))}`;
  });
  return `multiIf(${branches.join(', ')}, ${present})`;
}

function codecOf({ name, codec }: MirrorColumn, codecs: ImageCodecs): ImageCodec {
  return codecs.get(name) ?? profileCodec(codec);
}

function codecsText({ columns }: MirrorLayout, codecs: ImageCodecs): string {
  return JSON.stringify(columns.map((column) => codecOf(column, codecs)));
}
