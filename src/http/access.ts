/** Who may see the page: on loopback whoever is on this machine, elsewhere whoever has the token. */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

export type Access =
  | { readonly kind: 'allowed' }
  /** The token came in the address: keep it in a cookie, and take it out of the address. */
  | { readonly kind: 'cookie'; readonly cookie: string; readonly location: string }
  | { readonly kind: 'refused'; readonly status: 401 | 403; readonly message: string };

const COOKIE = 'debezium_clickhouse_page';
const LOCAL_NAMES = new Set(['localhost', '127.0.0.1', '[::1]']);

/**
 * Decides for one request. Without a token the page is on loopback, and then only answers to names of loopback: else
 * any site could send a browser of this machine here under a name of its own (DNS rebinding).
 */
export function decideAccess(
  request: Pick<IncomingMessage, 'headers' | 'url' | 'method'>,
  token: string | null,
): Access {
  if (token === null) {
    const name = (request.headers.host ?? '').replace(/:\d+$/, '');
    if (LOCAL_NAMES.has(name)) return { kind: 'allowed' };
    return { kind: 'refused', status: 403, message: 'Open the page as localhost, or set PAGE_TOKEN.' };
  }
  const brought = tokenInAddress(request, token);
  if (brought !== null) return brought;
  if (showsToken(request, token)) return { kind: 'allowed' };
  return {
    kind: 'refused',
    status: 401,
    message: 'A token is needed: open the page once with ?token=…, or send "Authorization: Bearer …" (PAGE_TOKEN).',
  };
}

/**
 * Decides for an order. Neither the cookie nor being on this machine is enough: a browser sends the one for whatever site
 * asks it to, and the other is true of everybody's programs here. A header of that name is the page's own to send.
 */
export function decideOrder(
  { headers }: Pick<IncomingMessage, 'headers'>,
  token: string | null,
): Exclude<Access, { kind: 'cookie' }> {
  if (token === null) {
    const message = 'No orders are taken without PAGE_TOKEN: set it, or use the commands pause and resume.';
    return { kind: 'refused', status: 403, message };
  }
  const origin = headers.origin ?? null;
  if (origin !== null && URL.parse(origin)?.host !== headers.host)
    return { kind: 'refused', status: 403, message: 'Orders are taken from this page only.' };
  const bearer = bearerOf(headers);
  if (bearer !== null && isToken(bearer, token)) return { kind: 'allowed' };
  return { kind: 'refused', status: 401, message: 'The token is needed, as "Authorization: Bearer …" (PAGE_TOKEN).' };
}

function bearerOf(headers: IncomingMessage['headers']): string | null {
  const [, bearer] = /^Bearer (\S+)$/i.exec(headers.authorization ?? '') ?? [];
  return bearer ?? null;
}

function showsToken({ headers }: Pick<IncomingMessage, 'headers'>, token: string): boolean {
  const bearer = bearerOf(headers);
  if (bearer !== null && isToken(bearer, token)) return true;
  const kept = cookieOf(headers.cookie ?? '');
  return kept !== null && isToken(kept, token);
}

function tokenInAddress(
  { url: address, method }: Pick<IncomingMessage, 'url' | 'method'>,
  token: string,
): Access | null {
  const url = URL.parse(address ?? '/', 'http://page');
  const given = url?.searchParams.get('token') ?? null;
  if (url === null || given === null || method !== 'GET' || !isToken(given, token)) return null;
  url.searchParams.delete('token');
  const cookie = `${COOKIE}=${encodeURIComponent(given)}; Path=/; HttpOnly; SameSite=Strict`;
  // Two slashes at the beginning would name another site.
  return { kind: 'cookie', cookie, location: `${url.pathname.replace(/^[/\\]+/, '/')}${url.search}` };
}

/** In the same time whatever differs: the digests are compared, so the lengths are equal. */
function isToken(given: string, token: string): boolean {
  return timingSafeEqual(digest(given), digest(token));
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

function cookieOf(header: string): string | null {
  for (const part of header.split(';')) {
    const [name, value] = part.trim().split('=', 2);
    if (name !== COOKIE || value === undefined) continue;
    try {
      return decodeURIComponent(value);
    } catch {
      return null;
    }
  }
  return null;
}
