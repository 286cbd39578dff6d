/** The transcoders of one mirror: one for each way in which the images of its table are written, made when it is first met. */
import type { MirrorLayout } from '../clickhouse/mirror-layout';
import { ignoreFields } from '../clickhouse/mirror-layout';
import { profileCodec } from '../clickhouse/image-codec';
import { codecsOf, columnIn, withColumns, type WireDefinition } from '../clickhouse/wire-definition';
import { createImageMask, type ImageMask } from '../debezium/image-mask';
import { JsonOutput } from '../debezium/json-output';
import { compileTranscoder, type Transcoder } from '../debezium/transcode';
import type { Mask, SourceColumn } from '../model';

export interface ImageReaders {
  /** For images written as the definition says; null: as our profile writes them. */
  of(wire: WireDefinition | null): Transcoder;
}

/** @param columns what the catalogue says of the table now; for images of a time when it did not have it */
export function createImageReaders(layout: MirrorLayout, columns: readonly SourceColumn[] = []): ImageReaders {
  const byWire = new Map<WireDefinition | null, Transcoder>();
  const byCodecs = new Map<string, Transcoder>();
  const made = (wire: WireDefinition | null): Transcoder => {
    const definition = wire === null ? null : withColumns(wire, columns);
    const mask = maskOf(layout, definition);
    if (wire === null || definition === null) return masking(compileTranscoder(layout), mask);
    const codecs = new Map(codecsOf(layout, definition));
    // Those are masked before they are read, or not read at all.
    for (const { name, codec } of layout.columns)
      if (codecs.get(name)?.notation === 'hidden') codecs.set(name, profileCodec(codec));
    // Columns that were dropped since are in old images.
    const fitting = ignoreFields(
      layout,
      wire.columns.map(({ name }) => name),
    );
    if (mask !== null) return masking(compileTranscoder(fitting, codecs), mask);
    const text = JSON.stringify([fitting.fingerprint, [...codecs]]);
    const known = byCodecs.get(text);
    if (known !== undefined) return known;
    const transcoder = compileTranscoder(fitting, codecs);
    byCodecs.set(text, transcoder);
    return transcoder;
  };
  return {
    of(wire) {
      const known = byWire.get(wire);
      if (known !== undefined) return known;
      const transcoder = made(wire);
      byWire.set(wire, transcoder);
      return transcoder;
    },
  };
}

/**
 * For images that were masked in another way than the layout is: values that are to be masked by now are so when they are read,
 * and hashes of what need no longer be are no values. Null where they agree.
 */
function maskOf(layout: MirrorLayout, definition: WireDefinition | null): ImageMask | null {
  const masks = new Map<string, Mask>();
  for (const column of layout.columns) {
    const then = definition === null ? undefined : columnIn(definition, column);
    const isHashed = then?.mask === 'hash';
    if (isHashed === (column.hashed ?? false)) continue;
    for (const name of [column.name, then?.name ?? column.name]) masks.set(name, isHashed ? 'drop' : 'hash');
  }
  const { hash } = layout;
  if (masks.size === 0) return null;
  const none = (): string => '';
  return createImageMask({ of: (name) => masks.get(name) ?? null, hash: hash ?? none, placeholder: null });
}

/** Reads images through the mask. */
function masking(transcoder: Transcoder, mask: ImageMask | null): Transcoder {
  if (mask === null) return transcoder;
  const output = new JsonOutput();
  const masked = (bytes: Uint8Array, start: number, end: number): void => {
    output.clear();
    mask.write(bytes, start, end, output);
  };
  return {
    append(bytes, start, end, ...into) {
      masked(bytes, start, end);
      return transcoder.append(output.bytes, 0, output.at, ...into);
    },
    appendKey(bytes, start, end, rows) {
      masked(bytes, start, end);
      return transcoder.appendKey(output.bytes, 0, output.at, rows);
    },
    takeClamped: () => transcoder.takeClamped(),
    get counts() {
      return transcoder.counts;
    },
    set counts(counts) {
      transcoder.counts = counts;
    },
    get failedColumn() {
      return transcoder.failedColumn;
    },
  };
}
