#!/usr/bin/env node
/** The entry of the process. Says what is wrong with the Node it runs on before anything that needs a newer one is loaded. */
const OLDEST_NODE = 22;

if (Number(process.versions.node.split('.')[0]) >= OLDEST_NODE) {
  require('./cli/process');
} else {
  process.stderr.write(
    `error: Node ${process.versions.node} is too old for this service, which needs ${OLDEST_NODE} or later.\n` +
      '  do: Start it with the Node that came with the packages: npm start, or npx node dist/src/main.js.\n',
  );
  process.exitCode = 2;
}
