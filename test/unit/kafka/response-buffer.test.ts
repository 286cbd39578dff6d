/** Answers of a broker, cut into pieces anywhere, as kafkajs's connections put them together with buffers that are used again. */
import fc from 'fast-check';
import { createRequire } from 'node:module';
import { readIntoKeptBuffers } from '../../../src/kafka/response-buffer';

interface Answer {
  readonly correlationId: number;
  readonly payload: Buffer;
}

interface FakeConnection {
  socket: object;
  authHandlers: object | null;
  readonly requestQueue: { inflight: Map<number, { entry: { apiKey: number } }>; fulfillRequest(answer: Answer): void };
  processData(data: Buffer): void;
}

const FETCH = 1;
const METADATA = 3;

readIntoKeptBuffers();
const { prototype } = createRequire(__filename)('kafkajs/src/network/connection.js') as { prototype: object };

/** A connection without a network; what it hands over is copied at once, as it is to be used at once. */
function connection(
  apiKeyOf: (correlationId: number) => number,
  answers: Answer[],
  live: Buffer[] = [],
): FakeConnection {
  const inflight = { get: (id: number) => ({ entry: { apiKey: apiKeyOf(id) } }) };
  const requestQueue = {
    inflight,
    fulfillRequest({ correlationId, payload }: Answer) {
      live.push(payload);
      answers.push({ correlationId, payload: Buffer.from(payload) });
    },
  };
  return Object.assign(Object.create(prototype) as FakeConnection, {
    socket: {},
    authHandlers: null,
    requestQueue,
  });
}

function framed(id: number, body: Buffer): Buffer {
  const head = Buffer.alloc(8);
  head.writeInt32BE(body.length + 4, 0);
  head.writeInt32BE(id, 4);
  return Buffer.concat([head, body]);
}

const bodyOf = (id: number, length: number): Buffer => Buffer.alloc(length, (id * 37) % 251);

/** Hands over pieces of one buffer that is filled again each time, as a socket with `onread` does. */
function feed(to: FakeConnection, stream: Buffer, cuts: readonly number[]): void {
  const pieces = [...new Set([0, ...cuts.map((cut) => cut % (stream.length + 1)), stream.length])].sort(
    (a, b) => a - b,
  );
  const shared = Buffer.alloc(stream.length);
  for (const [n, from] of pieces.slice(0, -1).entries()) {
    const length = stream.copy(shared, 0, from, pieces[n + 1]);
    to.processData(shared.subarray(0, length));
    shared.fill(0xee, 0, length);
  }
}

describe('the answers of a broker', () => {
  it('are whole and in order, however they are cut and whatever they answer', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.oneof(fc.nat(200), fc.integer({ min: 60_000, max: 200_000 })), fc.constantFrom(FETCH, METADATA)), { minLength: 1, maxLength: 6 }), // prettier-ignore
        fc.array(fc.nat(1_200_000), { maxLength: 12 }),
        (sent, cuts) => {
          const answers: Answer[] = [];
          const to = connection((id) => sent[id]![1], answers);
          const stream = Buffer.concat(sent.map(([length], id) => framed(id, bodyOf(id, length))));
          feed(to, stream, cuts);
          expect(answers.map(({ correlationId }) => correlationId)).toEqual(sent.map((_, id) => id));
          for (const { correlationId, payload } of answers)
            expect(payload.equals(bodyOf(correlationId, sent[correlationId]![0]))).toBe(true);
        },
      ),
      { seed: 6, numRuns: 60 },
    );
  });

  it('of a fetch hold until the fetch after the next one is answered', () => {
    const live: Buffer[] = [];
    const to = connection(() => FETCH, [], live);
    for (let id = 0; id < 4; id++) feed(to, framed(id, bodyOf(id, 100_000)), [5_000]);
    expect(live[2]!.equals(bodyOf(2, 100_000))).toBe(true);
    expect(live[3]!.equals(bodyOf(3, 100_000))).toBe(true);
    expect(live[0]!.buffer).toBe(live[2]!.buffer);
    expect(live[0]!.buffer).not.toBe(live[1]!.buffer);
  });

  it('to anything else have a buffer of their own', () => {
    const live: Buffer[] = [];
    const to = connection(() => METADATA, [], live);
    for (let id = 0; id < 4; id++) feed(to, framed(id, bodyOf(id, 100_000)), []);
    for (let id = 0; id < 4; id++) expect(live[id]!.equals(bodyOf(id, 100_000))).toBe(true);
  });

  it('begin anew when the socket is another one', () => {
    const answers: Answer[] = [];
    const to = connection(() => FETCH, answers);
    feed(to, framed(1, bodyOf(1, 1_000)).subarray(0, 500), []);
    to.socket = {};
    feed(to, framed(2, bodyOf(2, 1_000)), []);
    expect(answers.map(({ correlationId }) => correlationId)).toEqual([2]);
  });
});
