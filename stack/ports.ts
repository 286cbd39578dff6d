/** Which ports the parts get: the ones that were set, the ones they had, or free ones. */
import { createServer } from 'node:net';
import type { Server } from 'node:net';
import { ServiceError } from '../src/errors';
import { PORT_NAMES, PORT_SETTINGS } from './stack-settings';
import type { PortName, Ports } from './stack-settings';

const LOOPBACK = '127.0.0.1';

/** Listens on a port for a moment; 0 for any. Null when it is taken. */
async function occupy(port: number): Promise<Server | null> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', () => {
      resolve(null);
    });
    server.listen({ port, host: LOOPBACK, exclusive: true }, () => {
      resolve(server);
    });
  });
}

async function release(server: Server): Promise<void> {
  await new Promise((resolve) => server.close(resolve));
}

/** Whether a server could listen on it now. */
export async function isPortFree(port: number): Promise<boolean> {
  const server = await occupy(port);
  if (server !== null) await release(server);
  return server !== null;
}

/**
 * Chooses each port: of a part that runs, the one it has; else the one that was set; for 0 the one it had before,
 * if free, else any. All free ones are held until all are chosen, so none is given twice.
 * Throws CONFIG_INVALID that names port and setting of every one that is taken by another program.
 */
export async function choosePorts(options: {
  readonly wanted: Ports;
  readonly before: Ports | undefined;
  /** Ports of running parts, which keep them. */
  readonly inUse: ReadonlySet<PortName>;
  /** Ports that are needed now; others are chosen but not checked. */
  readonly needed: ReadonlySet<PortName>;
}): Promise<Ports> {
  const { wanted, before, inUse, needed } = options;
  const chosen: Partial<Record<PortName, number>> = {};
  const held: Server[] = [];
  const taken: PortName[] = [];
  try {
    for (const name of PORT_NAMES) {
      if (inUse.has(name) && before !== undefined) {
        chosen[name] = before[name];
      } else if (wanted[name] === 0) {
        chosen[name] = await holdAny(before?.[name] ?? 0, held);
      } else {
        chosen[name] = wanted[name];
        if (!needed.has(name)) continue;
        const server = await occupy(wanted[name]);
        if (server === null) taken.push(name);
        else held.push(server);
      }
    }
  } finally {
    await Promise.all(held.map(release));
  }
  if (taken.length > 0) throw portsTaken(taken, wanted);
  return chosen as Ports;
}

async function holdAny(preferred: number, held: Server[]): Promise<number> {
  const server = (preferred === 0 ? null : await occupy(preferred)) ?? (await occupy(0));
  const address = server?.address();
  if (server === null || typeof address !== 'object' || address === null) {
    throw new ServiceError('STACK_FAILED', 'the system has no free port', {
      hint: 'Close programs that listen on ports.',
    });
  }
  held.push(server);
  return address.port;
}

function portsTaken(taken: readonly PortName[], wanted: Ports): ServiceError {
  const lines = taken.map(
    (name) => `port ${wanted[name]} (${PORT_SETTINGS[name].setting}) is in use by another program`,
  );
  const examples = taken.map((name) => `${PORT_SETTINGS[name].setting}=${otherPort(wanted[name])}`);
  return new ServiceError('CONFIG_INVALID', `${lines.join('\n')}\nnothing was started`, {
    hint: `Stop that program, or choose another port in .env or on the command line: make up ${examples.join(' ')}`,
  });
}

function otherPort(port: number): number {
  return port < 65000 ? port + 100 : port - 100;
}
