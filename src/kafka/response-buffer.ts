/** Reads what a broker answers into buffers that are used again: kafkajs's own way makes and joins new ones for each answer. */
import { createRequire } from 'node:module';
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { ISocketFactory } from 'kafkajs';

/** The part of kafkajs's Connection that is used (network/connection.js of 2.2.4). */
interface Connection {
  readonly socket: Socket;
  /** Set while a login is under way: its answers are not framed as others are. */
  readonly authHandlers: object | null;
  readonly requestQueue: {
    readonly inflight: ReadonlyMap<number, { readonly entry: { readonly apiKey: number } }>;
    fulfillRequest(response: { size: number; correlationId: number; payload: Buffer }): void;
  };
  processData(data: Buffer): void;
}

const FETCH = 1;
const KEEP_ALIVE_MS = 60_000;
/** What the kernel hands over at once. */
const READ_BYTES = 256 << 10;
/** Smaller answers are not worth keeping a buffer for. */
const LEAST_KEPT = 64 << 10;
const MOST_KEPT = 16 << 20;
/** So many small answers in a row mean that the consumer has caught up: the buffers are given back. */
const GIVE_BACK_AFTER = 50;
/** The size of an answer, and the number of its request, with which every answer begins. */
const HEAD_BYTES = 8;

/** Where an answer is being put together. */
interface Assembly {
  readonly socket: Socket;
  readonly head: Buffer;
  filled: number;
  correlationId: number;
  /** Without the head; null while that is not complete. */
  body: Buffer | null;
  /** Two, because an answer may still be worked on when the next arrives; each is overwritten by the next but one. */
  readonly kept: [Buffer, Buffer];
  turn: 0 | 1;
  small: number;
}

const assemblies = new WeakMap<Connection, Assembly>();
let patched = false;

/**
 * Replaces how kafkajs 2.2.4 gathers answers, for this process, once. It fetches from a broker only after every record
 * of the fetch before was handed over, on a connection of its own: so the bytes of a fetch hold until the fetch after
 * the next one is answered, and everything else gets a buffer for itself. Measured: half of the CPU of reading a topic.
 */
export function readIntoKeptBuffers(): void {
  if (patched) return;
  patched = true;
  const { prototype } = createRequire(__filename)('kafkajs/src/network/connection.js') as { prototype: Connection };
  // eslint-disable-next-line @typescript-eslint/unbound-method -- called with the connection below
  const original = prototype.processData;
  prototype.processData = function processData(this: Connection, data: Buffer): void {
    // kafkajs keeps what it is given, and the buffer is ours to be filled again.
    if (this.authHandlers !== null) original.call(this, Buffer.from(data));
    else take(this, data);
  };
}

/** As kafkajs connects, but without TLS a socket reads into one buffer. What it hands over holds during the call only. */
export const socketFactory: ISocketFactory = (place) => {
  // kafkajs's types do not tell that it is null without TLS.
  const secured = (place.ssl as unknown) !== null && (place.ssl as unknown) !== undefined;
  const socket = secured ? overTls(place) : overTcp(place);
  socket.setKeepAlive(true, KEEP_ALIVE_MS);
  return socket;
};

type SocketPlace = Parameters<ISocketFactory>[0];

function overTls({ host, port, ssl, onConnect }: SocketPlace): Socket {
  return connectTls({ host, port, ...(isIP(host) === 0 ? { servername: host } : {}), ...ssl }, onConnect);
}

function overTcp({ host, port, onConnect }: SocketPlace): Socket {
  const socket: Socket = connectTcp(
    {
      host,
      port,
      onread: {
        buffer: Buffer.allocUnsafeSlow(READ_BYTES),
        callback(bytes, buffer) {
          socket.emit('data', Buffer.from(buffer.buffer, buffer.byteOffset, bytes));
          return true;
        },
      },
    },
    onConnect,
  );
  return socket;
}

function take(connection: Connection, data: Buffer): void {
  const state = assemblyOf(connection);
  let at = 0;
  while (at < data.length) {
    if (state.body === null) {
      at += fill(state, state.head, data, at);
      if (state.filled < HEAD_BYTES) return;
      begin(connection, state);
    }
    const { body, correlationId } = state;
    if (body === null) return;
    at += fill(state, body, data, at);
    if (state.filled < body.length) return;
    state.body = null;
    state.filled = 0;
    connection.requestQueue.fulfillRequest({ size: body.length + 4, correlationId, payload: body });
  }
}

function assemblyOf(connection: Connection): Assembly {
  const found = assemblies.get(connection);
  if (found?.socket === connection.socket) return found;
  const none = Buffer.alloc(0);
  const made: Assembly = {
    socket: connection.socket,
    head: Buffer.alloc(HEAD_BYTES),
    filled: 0,
    correlationId: 0,
    body: null,
    kept: [none, none],
    turn: 0,
    small: 0,
  };
  assemblies.set(connection, made);
  return made;
}

/** Copies what is missing in `into`, as far as there is; how much that was. */
function fill(state: Assembly, into: Buffer, data: Buffer, at: number): number {
  const copied = data.copy(into, state.filled, at);
  state.filled += copied;
  return copied;
}

function begin({ requestQueue }: Connection, state: Assembly): void {
  const size = state.head.readInt32BE(0) - 4;
  state.correlationId = state.head.readInt32BE(4);
  state.filled = 0;
  const isFetch = requestQueue.inflight.get(state.correlationId)?.entry.apiKey === FETCH;
  state.body = isFetch && size <= MOST_KEPT ? keptBuffer(state, size) : Buffer.allocUnsafeSlow(Math.max(0, size));
}

function keptBuffer(state: Assembly, size: number): Buffer {
  if (size < LEAST_KEPT) {
    state.small++;
    if (state.small === GIVE_BACK_AFTER) state.kept[0] = state.kept[1] = Buffer.alloc(0);
    return Buffer.allocUnsafeSlow(size);
  }
  state.small = 0;
  state.turn = state.turn === 0 ? 1 : 0;
  if (state.kept[state.turn].length < size) {
    state.kept[state.turn] = Buffer.allocUnsafeSlow(Math.min(MOST_KEPT, size + (size >> 3)));
  }
  return state.kept[state.turn].subarray(0, size);
}
