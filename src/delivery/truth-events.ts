/** The newest events of keys, as `changes` has them, as what the keys' rows should be: for mirrors made anew and for repairs. */
import { ignoreFields, isLossless, type MirrorLayout } from '../clickhouse/mirror-layout';
import type { TruthEvent } from '../clickhouse/truth-event';
import type { TableOf, TruthLookUps } from '../clickhouse/truth-look-ups';
import { TRANSCODED, UNFIT, UNKNOWN_FIELD } from '../debezium/transcode';
import type { FoldEvent } from '../plan/fold';
import type { MirrorRows, RowRef } from '../plan/mirror-rows';
import { placeOf } from '../plan/table-versions';
import { eventsOfChangesFor, findCarrier } from './carrier';
import { createImageReaders } from './image-readers';
import { ColumnTooNarrow } from './widened';
import { readByGuess, type EarlierImages, type ReadImage } from './table-past';

/**
 * Reads an event's image into a row of `images`, or for an absent one only its key; null where it cannot be read, 'gone'
 * where it is of another table that had the name before. Throws `ColumnTooNarrow`.
 */
export type TruthReader = (truth: TruthEvent, images: MirrorRows, row: 'present' | 'absent') => number | 'gone' | null;

/** Reads images of any age: a field that the layout does not know belongs to a column that was dropped since, and is read over. */
export function createTruthReader(layout: MirrorLayout, earlier: EarlierImages | null): TruthReader {
  const ignored = new Set<string>();
  let readers = createImageReaders(layout);
  const append = (
    { bytes, withheld }: ReadImage,
    { truth, images, row }: { truth: TruthEvent; images: MirrorRows; row: 'present' | 'absent' },
  ): number | null => {
    const names = withheld.length === 0 ? undefined : new Set(withheld);
    for (;;) {
      const transcoder = readers.of(truth.wire);
      transcoder.counts = false;
      const outcome =
        row === 'present'
          ? transcoder.append(bytes, 0, bytes.length, images, names)
          : transcoder.appendKey(bytes, 0, bytes.length, images);
      if (outcome === UNFIT && isLossless(layout, transcoder.failedColumn))
        throw new ColumnTooNarrow(transcoder.failedColumn);
      if (outcome !== UNKNOWN_FIELD) return outcome === TRANSCODED ? images.rowCount - 1 : null;
      ignored.add(transcoder.failedColumn);
      readers = createImageReaders(ignoreFields(layout, ignored));
    }
  };
  return (truth, images, row) => {
    const own = { bytes: Buffer.from(imageOf(truth), 'utf8'), withheld: truth.unavailable };
    const place = placeOf(truth);
    if (earlier === null || place.lsn > earlier.newestBeyond) return append(own, { truth, images, row });
    return readByGuess(earlier, own, place, (then) => append(then, { truth, images, row }));
  };
}

/** The image that tells a row, or the key of one that is gone. */
export function imageOf({ op, key, before, after }: TruthEvent): string {
  if (op !== 'd') return after;
  return before === '' ? key : before;
}

export interface Reading {
  readonly of: TableOf;
  /** Values at or below this offset were truncated away. */
  readonly above: number;
  readonly layout: MirrorLayout;
  readonly lookUps: Pick<TruthLookUps, 'newestWith' | 'turns' | 'deletedAt'>;
  readonly reader: TruthReader;
  /** Where the rows are read into. */
  readonly images: MirrorRows;
}

/** Events of rows that are there, of one table and partition. `lost`: how many could not be read. */
export async function eventsOfTruths(
  truths: readonly TruthEvent[],
  { of, above, layout, lookUps, reader, images }: Reading,
): Promise<{ events: FoldEvent[]; lost: number }> {
  const names = layout.columns.map(({ name }) => name);
  const read = (truth: TruthEvent): number | 'gone' | null => reader(truth, images, 'present');
  // The event itself is looked at, too: it may be the create of a changed key.
  const wanted = truths.flatMap(({ key, offset, unavailable }) =>
    unavailable.filter((name) => names.includes(name)).map((column) => ({ key, below: offset + 1, column })),
  );
  const sources = [await eventsOfChangesFor(wanted, lookUps, of, read)];
  const events: FoldEvent[] = [];
  let lost = 0;
  for (const truth of truths) {
    const image = read(truth);
    if (image === null) lost++;
    if (typeof image !== 'number') continue;
    const withheld = new Map<number, RowRef | null>();
    for (const name of truth.unavailable) {
      if (!names.includes(name)) continue;
      const carrier = await findCarrier(sources, truth, name);
      const row = carrier !== null && carrier.offset > above ? carrier.read() : null;
      withheld.set(names.indexOf(name), typeof row === 'number' ? { rows: images, row } : null);
    }
    events.push({
      key: images.keyOf(image),
      origin: truth,
      image,
      present: true,
      withheld: withheld.size === 0 ? null : withheld,
    });
  }
  return { events, lost };
}
