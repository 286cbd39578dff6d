/** SQL that writes values of images as PostgreSQL prints them, as `transcode-printed.ts` does; NULL for NULL. */
import { withNames } from './change-notation';

/** Debezium's counts for infinities; see the transcoder. */
export const INFINITE_DAYS = '(-2147472692, -622191234, 2146033979)';
const FIRST_DAY = '-2440588';
const INFINITY = '(9223372036825200000, 9223372036854775807)';
export const MINUS_INFINITY = '(-9223372036832400000, -9223372036854775808)';
const INFINITE_MILLIS = '(9223372036825200, 9223372036854775, 9223372036854775807)';
const MINUS_INFINITE_MILLIS = '(-9223372036832400, -9223372036854776, -9223372036854775808)';
const WRAPPED = '-211813488000000000';
const DAY = '86400000000';
/** Days and cycles of the calendar that make every date of PostgreSQL positive, so that intDiv rounds down. */
const CYCLES = 20_000;

function ifPresent(x: string, text: string): string {
  return `if(isNull(${x}), NULL, ${text})`;
}

/** A year, a month and a day in their places, what stands before the era behind them. */
function dated(year: string, month: string, day: string, rest: string): string {
  return withNames(
    { w: `if(${year} > 0, ${year}, 1 - ${year})`, r: rest, m: month, d: day, e: `if(${year} > 0, '', ' BC')` },
    `concat(if(w > 9999, toString(w), leftPad(toString(w), 4, '0')), '-', leftPad(toString(m), 2, '0'), '-', leftPad(toString(d), 2, '0'), r, e)`,
  );
}

/** Days since 1970 as a date; counts from March, so that the leap day ends a year. `rest`: an expression of the same scope. */
function civil(days: string, rest: string): string {
  const month = 'if(fm < 10, fm + 3, fm - 9)';
  const shown = withNames(
    {
      y: `yc + (cy - ${CYCLES}) * 400 + (${month} <= 2)`,
      mo: month,
      da: 'oy - intDiv(153 * fm + 2, 5) + 1',
      re: 're',
    },
    dated('y', 'mo', 'da', 're'),
  );
  const march = withNames({ fm: 'intDiv(5 * oy + 2, 153)', oy: 'oy', yc: 'yc', cy: 'cy', re: 're' }, shown);
  const ofYear = withNames(
    { oy: 'oc - (365 * yc + intDiv(yc, 4) - intDiv(yc, 100))', yc: 'yc', cy: 'cy', re: 're' },
    march,
  );
  const years = withNames(
    { yc: 'intDiv(oc - intDiv(oc, 1460) + intDiv(oc, 36524) - intDiv(oc, 146096), 365)', oc: 'oc', cy: 'cy', re: 're' },
    ofYear,
  );
  const cycles = withNames({ oc: 'dz % 146097', cy: 'intDiv(dz, 146097)', re: 're' }, years);
  return withNames({ dz: `toInt64(${days}) + 719468 + 146097 * ${CYCLES}`, re: rest }, cycles);
}

/** Microseconds since midnight. */
function clock(micros: string): string {
  const part = (seconds: number, of: number): string =>
    `leftPad(toString(intDiv(us, ${seconds}000000) % ${of}), 2, '0')`;
  const fraction = `replaceRegexpOne(concat('.', leftPad(toString(us % 1000000), 6, '0')), '[.]?0+$', '')`;
  return withNames(
    { us: `toInt64(${micros})` },
    `concat(${part(3600, 100)}, ':', ${part(60, 60)}, ':', ${part(1, 60)}, ${fraction})`,
  );
}

/** A count of days. */
export function printedDate(x: string): string {
  const date = withNames({ dn: `assumeNotNull(${x})` }, civil('dn', `''`));
  return ifPresent(x, `multiIf(${x} IN ${INFINITE_DAYS}, 'infinity', ${x} < ${FIRST_DAY}, '-infinity', ${date})`);
}

/** Microseconds since 1970 of any size. */
function instant(micros: string): string {
  const shift = '1000000000';
  const text = withNames(
    { dn: `intDiv(mi, ${DAY}) - ${shift}`, rs: `mi % ${DAY}` },
    civil('dn', `concat(' ', ${clock('rs')})`),
  );
  return withNames({ mi: `toInt128(${micros}) + toInt128(${DAY}) * ${shift}` }, text);
}

/** A count of `unit` since 1970. */
export function printedTimestamp(x: string, unit: 'microseconds' | 'milliseconds' | 'nanoseconds'): string {
  const n = `assumeNotNull(${x})`;
  switch (unit) {
    case 'microseconds': {
      const unwrapped = `toInt128(${n}) + if(${n} < ${WRAPPED}, toInt128('18446744073709551616'), toInt128(0))`;
      return ifPresent(
        x,
        `multiIf(${x} IN ${INFINITY}, 'infinity', ${x} IN ${MINUS_INFINITY}, '-infinity', ${instant(unwrapped)})`,
      );
    }
    case 'milliseconds':
      return ifPresent(
        x,
        `multiIf(${x} IN ${INFINITE_MILLIS}, 'infinity', ${x} IN ${MINUS_INFINITE_MILLIS} OR ${x} < -211813488000000, '-infinity', ${instant(`toInt128(${n}) * 1000`)})`,
      );
    case 'nanoseconds': {
      const shifted = `intDiv(toInt128(${n}) + toInt128('10000000000000000000'), 1000) - toInt128('10000000000000000')`;
      return ifPresent(
        x,
        `multiIf(${x} = 9223372036854775807, 'infinity', ${x} < -9223372036854775807, '-infinity', ${instant(shifted)})`,
      );
    }
  }
}

/** ISO 8601 text of a date or an instant in UTC. `zone` stands behind the time of day. */
export function printedIso(x: string, zone: string): string {
  const groups = `extractGroups(tx, '^([+-]?)([0-9]+)-([0-9][0-9])-([0-9][0-9])(?:T([0-9:]+)([.][0-9]+)?)?')`;
  const time = `concat(' ', gr[5], if(length(gr[5]) = 5, ':00', ''), replaceRegexpOne(gr[6], '[.]?0+$', ''), '${zone}')`;
  const shown = `multiIf(tx = '-5877611-06-21Z' OR (ye > 5874897 AND tx != '+292269055-12-02Z'), 'infinity', ye < -4713 OR ye > 5874897, '-infinity', ${dated('ye', 'mo', 'da', 're')})`;
  const parts = {
    ye: `toInt64OrZero(gr[2]) * if(gr[1] = '-', -1, 1)`,
    mo: 'gr[3]',
    da: 'gr[4]',
    re: `if(gr[5] = '', '', ${time})`,
    tx: 'tx',
  };
  const grouped = withNames({ gr: groups, tx: 'tx' }, withNames(parts, shown));
  const text = withNames({ tx: `assumeNotNull(${x})` }, `if(tx IN ('infinity', '-infinity'), tx, ${grouped})`);
  return ifPresent(x, text);
}

/** A count of `unit` since midnight, or ISO 8601 text. */
export function printedTime(x: string, unit: 'microseconds' | 'milliseconds' | 'nanoseconds' | 'iso'): string {
  const n = `assumeNotNull(${x})`;
  switch (unit) {
    case 'iso':
      return `replaceRegexpOne(replaceRegexpOne(replaceOne(${x}, 'Z', ''), '^([0-9]+:[0-9]+)$', '\\\\1:00'), '[.]0*$|([.][0-9]*[1-9])0+$', '\\\\1')`;
    case 'microseconds':
      return ifPresent(x, clock(n));
    case 'milliseconds':
      return ifPresent(x, clock(`${n} * 1000`));
    case 'nanoseconds':
      return ifPresent(x, clock(`intDiv(${n}, 1000)`));
  }
}

/** Decimal digits, or one of Debezium's names for what is no number. */
export function printedDecimal(x: string): string {
  return (
    `multiIf(${x} = 'NAN', 'NaN', ${x} = 'POSITIVE_INFINITY', 'Infinity', ` +
    `${x} = 'NEGATIVE_INFINITY', '-Infinity', ${x})`
  );
}
