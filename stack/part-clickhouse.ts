/** ClickHouse from npm: the server inside the package chdb, in a process of its own. */
import { join } from 'node:path';
import { dataFolder, httpGet } from './part';
import type { Part } from './part';

export const clickhousePart: Part = {
  name: 'clickhouse',
  ports: ['clickhouseHttp', 'clickhouseTcp'],
  downloads: () => [],
  after: [],
  variant: () => '',
  stopSignals: ['SIGTERM', 'SIGKILL'],
  prepare(context) {
    const script = join(context.root, 'stack', 'clickhouse-server.cjs');
    const config = join(context.root, 'stack', 'clickhouse', 'config.xml');
    const { clickhouseHttp, clickhouseTcp } = context.ports;
    const data = dataFolder(context, 'clickhouse');
    const args = [script, data, String(clickhouseHttp), String(clickhouseTcp), config];
    return Promise.resolve({ file: process.execPath, args, cwd: context.dir });
  },
  async probe(context) {
    const url = `http://127.0.0.1:${context.ports.clickhouseHttp}/?query=${encodeURIComponent('SELECT version()')}`;
    const version = await httpGet(url);
    return version === null ? null : version.trim();
  },
};
