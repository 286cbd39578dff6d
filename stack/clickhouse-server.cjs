/**
 * A ClickHouse server from the npm package chdb: node clickhouse-server.cjs DIR HTTP_PORT TCP_PORT CONFIG_FILE.
 * Its main thread is inside the server until that ends; SIGTERM ends it at once, which its data survives as it does kill -9.
 */
'use strict';
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { DataType, load, open } = require('ffi-rs');

const [dir, httpPort, tcpPort, configFile] = process.argv.slice(2);
fs.mkdirSync(dir, { recursive: true });

// clickhouse-local lives as long as its query runs, and a query that reads from a pipe runs as long as the pipe has a
// writer. We are that writer ourselves: opened for both, so that opening waits for nobody.
const keepalive = path.join(dir, 'keepalive');
fs.rmSync(keepalive, { force: true });
execFileSync('mkfifo', [keepalive]);
fs.openSync(keepalive, 'r+');

const quoted = keepalive.replace(/[\\']/g, '\\$&');
const argv = [
  'clickhouse',
  `--config-file=${configFile}`,
  `--path=${path.join(dir, 'store')}`,
  `--http_port=${httpPort}`,
  `--tcp_port=${tcpPort}`,
  '--listen_host=127.0.0.1',
  '--logger.console=1',
  '--log-level=warning',
  '--query',
  `SYSTEM START LISTEN HTTP; SYSTEM START LISTEN TCP; SELECT count() FROM file('${quoted}', LineAsString)`,
];
const library = path.dirname(require.resolve('@chdb/lib-linux-x64-gnu/package.json'));
open({ library: 'chdb', path: path.join(library, 'libchdb.so') });
load({
  library: 'chdb',
  funcName: 'chdb_query_cmdline',
  retType: DataType.External,
  paramsType: [DataType.I32, DataType.StringArray],
  paramsValue: [argv.length, argv],
});
process.stderr.write('the server ended by itself: a wrong argument, a port in use, or a locked data folder\n');
process.exit(1);
