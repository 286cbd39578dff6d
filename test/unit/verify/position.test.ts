import { waitForConsumer, waitForMessage, type Waiting } from '../../../src/verify/position';
import type { Held, KafkaLooks, SeenRecord } from '../../../src/verify/ports';

/** A Kafka of visible records by offset; offsets without one are control records. */
function kafkaWith(
  topics: Record<string, { high: number; records: Record<number, string> }>,
  committed: (topic: string) => number | null,
): KafkaLooks {
  const held = (topic: string): Held[] => [{ topic, partition: 0, low: 0, high: topics[topic]?.high ?? 0 }];
  return {
    topics: () => Promise.resolve(Object.keys(topics)),
    bounds: (topic) => Promise.resolve(held(topic)),
    committed: (names) => Promise.resolve(names.map((topic) => ({ topic, partition: 0, offset: committed(topic) }))),
    memberCount: () => Promise.resolve(0),
    read(ranges, visit) {
      for (const { topic, from, to } of ranges) {
        for (const [offset, value] of Object.entries(topics[topic]?.records ?? {})) {
          const record: SeenRecord = { topic, partition: 0, offset: Number(offset), value: Buffer.from(value) };
          if (record.offset >= from && (to === null || record.offset < to) && visit(record) === 'stop')
            return Promise.resolve();
        }
      }
      return Promise.resolve();
    },
  };
}

function waiting(kafka: KafkaLooks, lost = new AbortController().signal): Waiting & { clock: { ms: number } } {
  const clock = { ms: 0 };
  return {
    kafka,
    clock,
    messageTopic: 'p.message',
    patienceMs: 20_000,
    lost,
    onProgress: () => undefined,
    now: () => clock.ms,
    sleep: (ms) => {
      clock.ms += ms;
      return Promise.resolve();
    },
  };
}

const END: Held = { topic: 'p.t', partition: 0, low: 0, high: 10 };

it('waits until the group has acknowledged the end', async () => {
  let offset = 4;
  const of = waiting(kafkaWith({ 'p.t': { high: 10, records: { 9: '{}' } } }, () => offset++));
  await waitForConsumer([END], of);
  expect(offset).toBe(11);
});

it('passes an end behind which only control records are left, and not one with a record', async () => {
  const passed = waiting(kafkaWith({ 'p.t': { high: 10, records: { 7: '{}' } } }, () => 8));
  await waitForConsumer([END], passed);
  expect(passed.clock.ms).toBeGreaterThan(3_000);
  const stuck = waiting(kafkaWith({ 'p.t': { high: 10, records: { 8: '{}' } } }, () => 8));
  await expect(waitForConsumer([END], stuck)).rejects.toMatchObject({
    code: 'VERIFY_TIMED_OUT',
    place: { topic: 'p.t', offset: 8 },
    hint: expect.stringContaining('npm start') as string,
  });
});

it('has nothing to wait for where topics are empty', async () => {
  await waitForConsumer([{ ...END, high: 0 }], waiting(kafkaWith({ 'p.t': { high: 0, records: {} } }, () => null)));
});

it('waits for the message, and takes no earlier one for it', async () => {
  const kafka = kafkaWith(
    { 'p.t': { high: 10, records: {} }, 'p.message': { high: 3, records: { 0: 'mark', 2: 'a "mark" of ours' } } },
    () => null,
  );
  const before = [{ topic: 'p.message', partition: 0, low: 0, high: 1 }];
  await expect(waitForMessage('mark', before, waiting(kafka))).resolves.toBeUndefined();
  await expect(waitForMessage('another', before, waiting(kafka))).rejects.toMatchObject({ code: 'VERIFY_TIMED_OUT' });
});

it('gives up when there is no topic of messages', async () => {
  await expect(waitForMessage('mark', [], waiting(kafkaWith({}, () => null)))).rejects.toMatchObject({
    code: 'VERIFY_TIMED_OUT',
  });
});

it('ends at once when what is to be compared is lost: while the message is read, and while the group is behind', async () => {
  const lost = new AbortController();
  const kafka = kafkaWith(
    { 'p.t': { high: 10, records: { 9: '{}' } }, 'p.message': { high: 0, records: {} } },
    () => 1,
  );
  const stuck: KafkaLooks = {
    ...kafka,
    read: (_ranges, _visit, signal) =>
      new Promise((resolve) => {
        signal.addEventListener('abort', () => resolve());
        lost.abort(new Error('the snapshot is gone'));
      }),
  };
  await expect(waitForMessage('mark', [], waiting(stuck, lost.signal))).rejects.toThrow('the snapshot is gone');
  await expect(waitForConsumer([END], waiting(kafka, lost.signal))).rejects.toThrow('the snapshot is gone');
  await expect(
    waitForMessage(
      'mark',
      [],
      waiting(
        kafkaWith({}, () => null),
        lost.signal,
      ),
    ),
  ).rejects.toThrow('gone');
});
