/** The types that a user may give a column in ClickHouse, whatever its own is; which of them a column can have is for `mirror-type.ts`. */

/** As the messages and the documentation name them. */
export const OVERRIDE_TYPES =
  "String, LowCardinality(String), Int16, Int32, Int64, Decimal(precision, scale), Date, Date32, DateTime64(0, 3 or 6, 'time zone') and Array(Nullable(…)) of one of these";

/** The type in ClickHouse's own spelling; null where it is none of `OVERRIDE_TYPES`. */
export function overrideType(text: string): string | null {
  const packed = text.trim().replaceAll(/\s*([(),])\s*/g, '$1');
  const [, element] = /^Array\(Nullable\((.+)\)\)$/.exec(packed) ?? [];
  if (element === undefined) return scalarType(packed);
  const scalar = element.startsWith('LowCardinality') ? null : scalarType(element);
  return scalar === null ? null : `Array(Nullable(${scalar}))`;
}

function scalarType(text: string): string | null {
  if (/^(String|LowCardinality\(String\)|Int(16|32|64)|Date|Date32)$/.test(text)) return text;
  const [, precision, scale] = /^Decimal\((\d{1,2}),(\d{1,2})\)$/.exec(text) ?? [];
  if (precision !== undefined) {
    const [digits, after] = [Number(precision), Number(scale)];
    return digits >= 1 && digits <= 76 && after <= digits ? `Decimal(${String(digits)}, ${String(after)})` : null;
  }
  const [, fraction, zone = 'UTC'] = /^DateTime64\(([036])(?:,'([A-Za-z0-9/_+-]+)')?\)$/.exec(text) ?? [];
  return fraction === undefined ? null : `DateTime64(${fraction}, '${zone}')`;
}
