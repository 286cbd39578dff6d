/** For each column an expression of ClickHouse that gives a value as the text both sides are compared by. */
import type { MirrorColumn } from '../clickhouse/mirror-layout';
import type { WireCodec } from '../clickhouse/mirror-type';

/**
 * The value as text, of a type that is not Nullable: what `sourceText` gives for the same value, and anything for NULL.
 * @param x an expression of the column's type in ClickHouse
 * @param base the source's type, `SourceColumn.base`
 */
export function mirrorText({ codec }: MirrorColumn, base: string, x: string): string {
  if (codec.array) {
    const element = scalar(codec, base, 'assumeNotNull(e)');
    return `arrayStringConcat(arrayMap(e -> if(isNull(e), '~', ${framed(element)}), ${x}))`;
  }
  return scalar(codec, base, `assumeNotNull(${x})`);
}

/** A text with its length in bytes before it, so that texts beside each other cannot be read in two ways. */
function framed(text: string): string {
  return `concat(toString(length(${text})), ':', ${text})`;
}

function scalar(codec: WireCodec, base: string, x: string): string {
  if (codec.asText) return codec.form === 'decimal' ? withoutZeros(`toString(${x})`, '') : `toString(${x})`;
  switch (codec.form) {
    case 'int':
    case 'bool':
    case 'uuid':
    case 'date':
    case 'decimal':
      return `toString(${x})`;
    case 'float':
      return floatText(x, codec.width);
    case 'hex':
      return `lower(hex(${x}))`;
    case 'timestamp':
    case 'timestamptz':
      return withoutZeros(`toString(${x}, 'UTC')`, '');
    case 'time':
      return withoutZeros(`toString(${x})`, '');
    case 'point':
      return `concat(${floatText(`${x}.1`, 8)}, ',', ${floatText(`${x}.2`, 8)})`;
    case 'vector':
      return `arrayStringConcat(arrayMap(e -> ${floatText('e', 4)}, ${x}), ',')`;
    case 'hstore':
      return hstoreText(x);
    case 'ewkb':
      return `lower(${x})`;
    case 'text':
    case 'json':
    case 'bit':
    case 'bits':
      return base === 'timetz' ? withoutZeros(x, 'Z') : `toString(${x})`;
  }
}

/** PostgreSQL writes no trailing zeros of a fraction, nor a point without one. `end` stands behind the fraction. */
function withoutZeros(x: string, end: string): string {
  const trimmed = `replaceRegexpOne(${x}, '([.][0-9]*?)0+${end}$', '\\\\1${end}')`;
  return `replaceRegexpOne(${trimmed}, '[.]${end}$', '${end}')`;
}

/** The bytes of a float, most significant first; there is one NaN. */
function floatText(x: string, width: number): string {
  const digits = `leftPad(lower(hex(reinterpretAsUInt${width * 8}(${x}))), ${width * 2}, '0')`;
  return `if(isNaN(${x}), 'NaN', ${digits})`;
}

function hstoreText(x: string): string {
  const pair = `concat(${framed('p.1')}, if(isNull(p.2), '~', ${framed('assumeNotNull(p.2)')}))`;
  return `arrayStringConcat(arrayMap(p -> ${pair}, arraySort(arrayZip(mapKeys(${x}), mapValues(${x})))))`;
}
