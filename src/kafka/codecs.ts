/** The compressions of a topic that kafkajs cannot read by itself: zstd, lz4 and snappy. It brings gzip. */
import { CompressionCodecs, CompressionTypes } from 'kafkajs';
import { compressFrameSync, decompressFrameSync } from 'lz4-napi';
import { compressSync, uncompressSync } from 'snappy';
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { ServiceError } from '../errors';

interface Codec {
  compress(encoder: { readonly buffer: Buffer }): Promise<Buffer>;
  decompress(compressed: Buffer): Promise<Buffer>;
}

/** Synchronous inside: a record batch takes less time than handing it to another thread and waiting for it. */
function codec(compress: (plain: Buffer) => Buffer, decompress: (compressed: Buffer) => Buffer): () => Codec {
  const one: Codec = {
    compress: async ({ buffer }) => compress(buffer),
    decompress: async (compressed) => decompress(compressed),
  };
  return () => one;
}

/** Makes kafkajs read every compression that Kafka knows. May be called again. */
export function readEveryCompression(): void {
  CompressionCodecs[CompressionTypes.ZSTD] = codec(zstdCompressSync, zstdDecompressSync);
  CompressionCodecs[CompressionTypes.LZ4] = codec((plain) => compressFrameSync(plain), decompressFrameSync);
  CompressionCodecs[CompressionTypes.Snappy] = codec((plain) => compressSync(plain), unsnappy);
}

/** Java's clients and the broker wrap snappy: this mark, two versions of 4 bytes, then blocks, each after its length. */
const XERIAL = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]);
const XERIAL_HEADER = 16;

/** Snappy as Java's clients write it, or bare, as others do. */
export function unsnappy(compressed: Buffer): Buffer {
  if (compressed.length < XERIAL_HEADER || !compressed.subarray(0, XERIAL.length).equals(XERIAL))
    return plain(compressed);
  const blocks: Buffer[] = [];
  let at = XERIAL_HEADER;
  while (at < compressed.length) {
    const length = at + 4 <= compressed.length ? compressed.readInt32BE(at) : -1;
    if (length < 0 || at + 4 + length > compressed.length) throw damaged();
    blocks.push(plain(compressed.subarray(at + 4, at + 4 + length)));
    at += 4 + length;
  }
  return Buffer.concat(blocks);
}

function plain(block: Buffer): Buffer {
  // Its types allow text, which only comes where it is asked for.
  return uncompressSync(block) as Buffer;
}

function damaged(): ServiceError {
  return new ServiceError(
    'KAFKA_REQUEST_FAILED',
    'A record batch is damaged: its snappy blocks do not fit its length.',
    {
      hint: 'It is fetched again. If it stays damaged, check the disk of the broker that leads the partition.',
    },
  );
}
