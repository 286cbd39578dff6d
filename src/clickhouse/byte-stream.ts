/** Reads and writes the bytes of ClickHouse's Native format: small pieces gathered, big buffers passed through. */
import { ServiceError } from '../errors';

/** Gathered pieces leave as chunks of at most this many bytes; `@clickhouse/client` streams those fastest. */
export const CHUNK_BYTES = 1 << 20;

/** From this size on a buffer is passed on as it is instead of being copied into the current chunk. */
const PASS_THROUGH_BYTES = 64 * 1024;

/** Collects bytes in order. Buffers it was given may be referenced until the chunks are consumed, so do not change them before. */
export class ByteSink {
  private readonly chunks: Uint8Array[] = [];
  private current: Uint8Array = new Uint8Array(4096);
  private length = 0;

  byte(value: number): void {
    this.reserve(1);
    this.current[this.length++] = value;
  }

  /** An unsigned LEB128 number below 2^53. */
  varint(value: number): void {
    let rest = value;
    while (rest >= 0x80) {
      this.byte((rest % 0x80) | 0x80);
      rest = Math.floor(rest / 0x80);
    }
    this.byte(rest);
  }

  /** A string in wire form: varint byte length, then UTF-8. */
  text(value: string): void {
    const encoded = Buffer.from(value, 'utf8');
    this.varint(encoded.length);
    this.bytes(encoded);
  }

  bytes(value: Uint8Array): void {
    if (value.length < PASS_THROUGH_BYTES) {
      this.reserve(value.length);
      this.current.set(value, this.length);
      this.length += value.length;
      return;
    }
    this.flush();
    for (let at = 0; at < value.length; at += CHUNK_BYTES) this.chunks.push(value.subarray(at, at + CHUNK_BYTES));
  }

  /** Everything written so far, in order; the sink is empty afterwards. */
  take(): Uint8Array[] {
    this.flush();
    return this.chunks.splice(0);
  }

  private flush(): void {
    if (this.length > 0) this.chunks.push(this.current.subarray(0, this.length));
    this.current = new Uint8Array(4096);
    this.length = 0;
  }

  private reserve(more: number): void {
    const needed = this.length + more;
    if (needed <= this.current.length) return;
    if (needed > CHUNK_BYTES) {
      this.flush();
      if (more <= this.current.length) return;
    }
    const grown = new Uint8Array(Math.min(CHUNK_BYTES, Math.max(this.current.length * 2, this.length + more)));
    grown.set(this.current.subarray(0, this.length));
    this.current = grown;
  }
}

/** Reads bytes in order; throws `CLICKHOUSE_QUERY_FAILED` when they end too early. */
export class ByteSource {
  readonly bytes: Uint8Array;
  position = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  get atEnd(): boolean {
    return this.position >= this.bytes.length;
  }

  /** Moves past `count` bytes and returns where they start in `bytes`. */
  take(count: number): number {
    const start = this.position;
    if (start + count > this.bytes.length) throw truncated();
    this.position = start + count;
    return start;
  }

  varint(): number {
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = this.bytes[this.take(1)] ?? 0;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 0x80;
    }
  }

  text(): string {
    const length = this.varint();
    const start = this.take(length);
    return Buffer.from(this.bytes.buffer, this.bytes.byteOffset + start, length).toString('utf8');
  }
}

function truncated(): ServiceError {
  return new ServiceError('CLICKHOUSE_QUERY_FAILED', 'The answer of ClickHouse in the Native format ended too early.', {
    hint: 'The request is sent again; if it keeps failing, look at the log of the ClickHouse server.',
  });
}
