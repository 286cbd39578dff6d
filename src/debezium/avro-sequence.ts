/** Reads `source.sequence` where it stands as plain text, as in Avro: in JSON it is a string with escapes. */
import { commitLsnOf, TOO_LARGE } from './source-fields';

const QUOTE = 0x22;
const COMMA = 0x2c;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const SMALL_L = 0x6c;
const SMALL_N = 0x6e;
const SMALL_U = 0x75;

/** The commit LSN of `["31299000","31299144"]`, as Debezium writes it; any other form is read by `commitLsnOf`. */
export function commitLsnIn(b: Uint8Array, start: number, end: number): number {
  const comma = b[start] === OPEN_ARRAY ? afterLsn(b, start + 1, end) : -1;
  if (comma < 0 || b[comma] !== COMMA) return commitLsnOf(b, start, end);
  const commit = lsnRead.value;
  const close = afterLsn(b, comma + 1, end);
  if (close !== end - 1 || b[close] !== CLOSE_ARRAY) return commitLsnOf(b, start, end);
  return lsnRead.value === TOO_LARGE ? TOO_LARGE : commit;
}

/** What `afterLsn` read last; -1 for null. */
const lsnRead = { value: -1 };

/** `i` at `null` or at digits in quotes: the index after them, -1 if it is neither. */
function afterLsn(b: Uint8Array, i: number, end: number): number {
  if (b[i] === SMALL_N) {
    lsnRead.value = -1;
    return b[i + 1] === SMALL_U && b[i + 2] === SMALL_L && b[i + 3] === SMALL_L ? i + 4 : -1;
  }
  if (b[i] !== QUOTE) return -1;
  let value = 0;
  let at = i + 1;
  for (; at < end; at++) {
    const digit = (b[at] as number) - 0x30;
    if (digit < 0 || digit > 9) break;
    value = value * 10 + digit;
  }
  if (at === i + 1 || at >= end || b[at] !== QUOTE) return -1;
  lsnRead.value = value > Number.MAX_SAFE_INTEGER ? TOO_LARGE : value;
  return at + 1;
}
