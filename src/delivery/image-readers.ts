/** The transcoders of one mirror: one for each way in which the images of its table are written, made when it is first met. */
import type { MirrorLayout } from '../clickhouse/mirror-layout';
import { ignoreFields } from '../clickhouse/mirror-layout';
import { codecsOf, withColumns, type WireDefinition } from '../clickhouse/wire-definition';
import { compileTranscoder, type Transcoder } from '../debezium/transcode';
import type { SourceColumn } from '../model';

export interface ImageReaders {
  /** For images written as the definition says; null: as our profile writes them. */
  of(wire: WireDefinition | null): Transcoder;
}

/** @param columns what the catalogue says of the table now; for images of a time when it did not have it */
export function createImageReaders(layout: MirrorLayout, columns: readonly SourceColumn[] = []): ImageReaders {
  const byWire = new Map<WireDefinition | null, Transcoder>();
  const byCodecs = new Map<string, Transcoder>();
  const made = (wire: WireDefinition | null): Transcoder => {
    if (wire === null) return compileTranscoder(layout);
    const codecs = codecsOf(layout, withColumns(wire, columns));
    // Columns that were dropped since are in old images.
    const fitting = ignoreFields(
      layout,
      wire.columns.map(({ name }) => name),
    );
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
