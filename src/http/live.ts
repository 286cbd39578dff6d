/** Server-sent events: one text each second for all viewers, as the bytes that are sent; who does not keep up misses some, and is cut off in the end. */
import type { ServerResponse } from 'node:http';

export interface Live {
  /** Takes over the response. False when there are too many viewers; then nothing was sent. */
  join(response: Viewer): boolean;
  viewers(): number;
  dropped(): number;
  close(): void;
}

/** What is needed of a response. */
export type Viewer = Pick<ServerResponse, 'writeHead' | 'write' | 'end' | 'destroy' | 'on' | 'writableNeedDrain'>;

export interface LiveOptions {
  /** The text of now; called once for all viewers, and once for all that come within a moment. */
  readonly snapshot: () => string;
  readonly everyMs: number;
  readonly mostViewers: number;
  /** Texts that a viewer may miss in a row before it is cut off. */
  readonly mostMissed: number;
  readonly headers: Readonly<Record<string, string>>;
}

/** Who joins gets a text that is not older: after a restart hundreds come at once. */
const MOMENT_MS = 200;

/** No timer runs while nobody looks. */
export function openLive({ snapshot, everyMs, mostViewers, mostMissed, headers }: LiveOptions): Live {
  /** Viewers with how many texts they missed in a row. */
  const viewers = new Map<Viewer, number>();
  let timer: NodeJS.Timeout | null = null;
  let dropped = 0;
  let newest: { readonly bytes: Buffer; readonly at: number } | null = null;

  const make = (): Buffer => {
    newest = { bytes: Buffer.from(eventText(snapshot())), at: performance.now() };
    return newest.bytes;
  };

  const leave = (viewer: Viewer): void => {
    viewers.delete(viewer);
    if (viewers.size > 0 || timer === null) return;
    clearInterval(timer);
    timer = null;
  };

  const tick = (): void => {
    const bytes = make();
    for (const [viewer, missed] of viewers) {
      // What was sent before is still on its way: the next text replaces this one.
      if (!viewer.writableNeedDrain) {
        viewers.set(viewer, 0);
        viewer.write(bytes);
      } else if (missed + 1 > mostMissed) {
        dropped++;
        viewer.destroy();
        leave(viewer);
      } else viewers.set(viewer, missed + 1);
    }
  };

  return {
    join(viewer) {
      if (viewers.size >= mostViewers) return false;
      viewer.on('close', () => leave(viewer));
      viewer.on('error', () => leave(viewer));
      viewer.writeHead(200, {
        ...headers,
        'Content-Type': 'text/event-stream; charset=utf-8',
        'Cache-Control': 'no-store',
        'X-Accel-Buffering': 'no',
      });
      viewer.write('retry: 2000\n');
      viewer.write(newest !== null && performance.now() - newest.at < MOMENT_MS ? newest.bytes : make());
      viewers.set(viewer, 0);
      timer ??= setInterval(tick, everyMs);
      return true;
    },
    viewers: () => viewers.size,
    dropped: () => dropped,
    close() {
      for (const viewer of [...viewers.keys()]) {
        viewer.end();
        leave(viewer);
      }
    },
  };
}

function eventText(data: string): string {
  return `event: status\ndata: ${data}\n\n`;
}
