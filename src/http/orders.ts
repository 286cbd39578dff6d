/** What the page may have done: a table, or everything, holds or reads on. Only for who shows the token in a header. */
import type { IncomingMessage } from 'node:http';
import type { PauseOrders } from './ports';
import { json, problem, type Answer, type Route } from './server';

const MOST_BYTES = 2_000;

export function orderRoutes(orders: PauseOrders): Route[] {
  return [orderRoute('/pause', (table) => orders.pause(table)), orderRoute('/resume', (table) => orders.resume(table))];
}

function orderRoute(path: string, carryOut: PauseOrders['pause']): Route {
  return {
    path,
    access: 'order',
    async answer({ request }) {
      const asked = tableOf(await bodyOf(request));
      if (asked === undefined)
        return problem(400, 'BAD_ORDER', 'The body is {"table": "schema.table"} or {"all": true}.');
      try {
        return json(200, JSON.stringify(await carryOut(asked)));
      } catch (error) {
        return failed(error);
      }
    },
  };
}

/** Messages of REQUEST_FAILED name tables and topics; those of a database may quote more. */
function failed(error: unknown): Answer {
  const { code, message } = error as { code?: unknown; message?: unknown };
  if (code === 'REQUEST_FAILED') return problem(409, code, String(message));
  const said = 'The order could not be written down, or not all of it; see which tables hold.';
  return problem(503, typeof code === 'string' ? code : 'INTERNAL', said);
}

/** The table; null: everything; undefined: the body says neither. */
function tableOf(body: string | null): string | null | undefined {
  try {
    const { table, all } = JSON.parse(body ?? '') as { table?: unknown; all?: unknown };
    if (all === true && table === undefined) return null;
    return typeof table === 'string' && /^[^.]+\../s.test(table) && all === undefined ? table : undefined;
  } catch {
    return undefined;
  }
}

/** null where it is too long. */
async function bodyOf(request: IncomingMessage): Promise<string | null> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MOST_BYTES) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
