import { createServer, type ServerResponse } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { openLive, type Viewer } from '../../../src/http/live';

/** A response that takes texts until it is told to be slow. */
function viewer() {
  const listeners = new Map<string, () => void>();
  const made = {
    texts: [] as string[],
    slow: false,
    destroyed: false,
    ended: false,
    leave: () => listeners.get('close')?.(),
    get writableNeedDrain() {
      return made.slow;
    },
    writeHead: () => made,
    write(text: string | Buffer) {
      made.texts.push(text.toString());
      return !made.slow;
    },
    end: () => {
      made.ended = true;
    },
    destroy: () => {
      made.destroyed = true;
    },
    on(event: string, listener: () => void) {
      listeners.set(event, listener);
      return made;
    },
  };
  return made;
}

const as = (of: ReturnType<typeof viewer>): Viewer => of as unknown as Viewer;

describe('the events of the live page', () => {
  let made = 0;
  const open = (mostViewers = 10) =>
    openLive({ snapshot: () => `{"n":${++made}}`, everyMs: 1_000, mostViewers, mostMissed: 3, headers: {} });

  beforeEach(() => {
    made = 0;
    jest.useFakeTimers();
  });
  afterEach(() => jest.useRealTimers());

  test('are made once a second for all viewers, and not at all without one', () => {
    const live = open();
    jest.advanceTimersByTime(5_000);
    expect(made).toBe(0);
    const all = Array.from({ length: 5 }, viewer);
    for (const one of all) live.join(as(one));
    // One for all that come at once.
    expect(made).toBe(1);
    for (const one of all) expect(one.texts.join('')).toBe('retry: 2000\nevent: status\ndata: {"n":1}\n\n');
    jest.advanceTimersByTime(3_000);
    expect(made).toBe(4);
    for (const one of all) expect(one.texts.at(-1)).toBe('event: status\ndata: {"n":4}\n\n');
    // Who comes later gets what is true then.
    jest.advanceTimersByTime(500);
    const late = viewer();
    live.join(as(late));
    expect(late.texts.at(-1)).toBe('event: status\ndata: {"n":5}\n\n');
    late.leave();
    for (const one of all) one.leave();
    expect(jest.getTimerCount()).toBe(0);
    expect(live.viewers()).toBe(0);
  });

  test('are not queued for a viewer that does not keep up: it gets the newest when it can, or is cut off', () => {
    const live = open();
    const [quick, slow, gone] = [viewer(), viewer(), viewer()];
    for (const one of [quick, slow, gone]) live.join(as(one));
    slow.slow = gone.slow = true;
    jest.advanceTimersByTime(3_000);
    const missed = slow.texts.length;
    expect(quick.texts).toHaveLength(missed + 3);
    slow.slow = false;
    jest.advanceTimersByTime(1_000);
    expect(slow.texts).toHaveLength(missed + 1);
    expect(slow.texts.at(-1)).toBe(quick.texts.at(-1));
    expect(gone.destroyed).toBe(true);
    expect(slow.destroyed).toBe(false);
    expect([live.viewers(), live.dropped()]).toEqual([2, 1]);
  });

  test('are for so many viewers and no more', () => {
    const live = open(1);
    expect(live.join(as(viewer()))).toBe(true);
    const second = viewer();
    expect(live.join(as(second))).toBe(false);
    expect(second.texts).toEqual([]);
    live.close();
    expect(jest.getTimerCount()).toBe(0);
  });
});

describe('the events over real connections', () => {
  test('hold no more than one text for a viewer that reads nothing, cut it off, and serve the others meanwhile', async () => {
    const TEXT = 200_000;
    const held: number[] = [];
    const responses: ServerResponse[] = [];
    let made = 0;
    const live = openLive({
      snapshot: () => {
        for (const response of responses) held.push(response.writableLength);
        return `"${String(++made).padEnd(TEXT, '.')}"`;
      },
      everyMs: 50,
      mostViewers: 1_000,
      mostMissed: 20,
      headers: {},
    });
    const server = createServer((_request, response) => {
      responses.push(response);
      live.join(response);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const stuck = connect(port, '127.0.0.1');
    stuck.on('error', () => undefined);
    stuck.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
    stuck.pause();
    const others = Array.from({ length: 20 }, () => {
      const socket = connect(port, '127.0.0.1');
      const one = { socket, bytes: 0 };
      socket.on('data', (chunk) => (one.bytes += chunk.length));
      socket.on('error', () => undefined);
      socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
      return one;
    });
    const until = Date.now() + 30_000;
    while (live.dropped() === 0 && Date.now() < until) await new Promise((resolve) => setTimeout(resolve, 50));
    const reading = live.viewers();
    const least = Math.min(...others.map(({ bytes }) => bytes));
    live.close();
    stuck.destroy();
    for (const { socket } of others) socket.destroy();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    // One text that is on its way, with its frame; never a queue of them.
    expect(Math.max(...held)).toBeLessThan(2 * TEXT);
    expect([live.dropped(), reading]).toEqual([1, 20]);
    expect(least).toBeGreaterThan(2 * TEXT);
  }, 60_000);
});
