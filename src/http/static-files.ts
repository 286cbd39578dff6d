/** The files of the pages: read once, served from memory under fixed addresses, so that no path of a request ever reaches the disk. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, extname, join } from 'node:path';
import { ServiceError } from '../errors';
import type { Answer, Asked, Route } from './server';

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/** The file of the folder `page/`, which lies beside the service's own folder. */
export function pageFile(name: string): string {
  for (let folder = __dirname; ; folder = dirname(folder)) {
    const file = join(folder, 'page', name);
    if (existsSync(file)) return file;
    if (folder === dirname(folder))
      throw new ServiceError('INTERNAL', `The file page/${name} is missing beside the service.`, {
        hint: 'Install the service again.',
      });
  }
}

/** A file of an npm package, for libraries that run in the browser. */
export function packageFile(name: string, path: string): string {
  return join(dirname(require.resolve(`${name}/package.json`)), path);
}

/** A file under an address, with an ETag: a browser that has it is told so in a few bytes. */
export function fileRoute(path: string, file: string): Route {
  const body = readFileSync(file);
  const type = TYPES[extname(file)] ?? 'application/octet-stream';
  const tag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`;
  const headers = { ETag: tag, 'Cache-Control': 'no-cache' };
  return {
    path,
    access: 'token',
    answer({ request }: Asked): Answer {
      if (request.headers['if-none-match'] === tag) return { status: 304, type, body: '', headers };
      return { status: 200, type, body, headers };
    },
  };
}
