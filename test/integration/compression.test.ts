/** Topics in every compression: the broker compresses them with its own library, as Java's producers do. */
import { CompressionCodecs, CompressionTypes } from 'kafkajs';
import { openReader } from '../../src/kafka/reader';
import { scenario, withLogs } from '../harness/scenario';
import { openWorld, type World } from '../harness/world';

const TYPES = { gzip: CompressionTypes.GZIP, snappy: CompressionTypes.Snappy, lz4: CompressionTypes.LZ4, zstd: CompressionTypes.ZSTD }; // prettier-ignore
/** kafkajs's types say `any` of them. */
type CodecFactory = () => { decompress(buffer: Buffer): Promise<Buffer> };
const codecs = CompressionCodecs as unknown as Record<number, CodecFactory>;
const NAMES = Object.keys(TYPES) as (keyof typeof TYPES)[];

let world: World;

beforeAll(async () => {
  world = await openWorld();
  await withLogs('preparation', async () => {
    await world.topics.admin.createTopics({
      topics: NAMES.map((name) => ({
        topic: world.topic(`in_${name}`),
        numPartitions: 1,
        configEntries: [{ name: 'compression.type', value: name }],
      })),
    });
    for (const name of NAMES) {
      await world.sql(`CREATE TABLE in_${name} (id int PRIMARY KEY, note text)`);
      await world.sql(`INSERT INTO in_${name} SELECT n, repeat('Ü' || n, 50) FROM generate_series(1, 2000) n`);
    }
    await world.connect();
    await world.service.start();
  });
}, 120_000);

afterAll(() => world.close(), 60_000);

describe('a compressed topic', () => {
  scenario(
    'is read whatever it is compressed with, snapshot and changes',
    async () => {
      for (const name of NAMES) await world.sql(`UPDATE in_${name} SET note = 'x' || id WHERE id % 3 = 0`, `DELETE FROM in_${name} WHERE id = 7`); // prettier-ignore
      for (const name of NAMES) await world.mirrorEquals(`in_${name}`);
      for (const name of NAMES) {
        // Not read from Kafka here: the harness's plain kafkajs would be there before the service's decoder is.
        const rows = await world.auditRows(`in_${name}`);
        expect(rows.length).toBe(2_000 + 666 + 1);
        expect(new Set(rows.map(({ offset }) => offset)).size).toBe(rows.length);
      }
    },
    90_000,
  );

  scenario(
    'is read with the codec it was written with',
    async () => {
      const { KAFKA_BROKERS } = world.stack.env;
      const options = { brokers: KAFKA_BROKERS.split(','), clientId: 'tests', groupId: world.name, sessionTimeoutMs: 10_000, holdMs: 500, tls: null, sasl: null }; // prettier-ignore
      const reader = openReader(options);
      for (const name of NAMES) {
        const topic = world.topic(`in_${name}`);
        const original = codecs[TYPES[name]]!;
        let batches = 0;
        codecs[TYPES[name]] = () => ({
          ...original(),
          decompress: (buffer: Buffer) => {
            batches++;
            return original().decompress(buffer);
          },
        });
        let records = 0;
        const [bounds] = await reader.bounds(topic);
        const count = (): 'go on' => {
          records++;
          return 'go on';
        };
        await reader.read([{ topic, partition: 0, from: bounds!.low, to: bounds!.high }], count, AbortSignal.timeout(30_000)); // prettier-ignore
        codecs[TYPES[name]] = original;
        expect(batches).toBeGreaterThan(0);
        // The snapshot's rows, the updates, the delete and its tombstone.
        expect(records).toBe(2_000 + 666 + 2);
      }
      await reader.close();
    },
    90_000,
  );
});
