/** What to type after the demo. */
import type { StackEnv } from '../stack/state';

interface Next {
  readonly env: StackEnv;
  /** Where the live page of the service was. */
  readonly page: string | null;
  readonly stack: 'stays up' | 'is stopped';
}

/** Commands with what they do; the same for a person who watched and for one who reads the output of a machine. */
export function whatNext({ env: { CH_URL, CH_DATABASE }, page, stack }: Next): string {
  const ask = (sql: string): string => `curl -s '${CH_URL}' --data "${sql}"`;
  const first =
    stack === 'is stopped' ? ['make up                  start the parts again; their data are still there'] : [];
  return [
    ...first,
    "make psql                change rows yourself, for example: UPDATE my_table SET name = 'me';",
    "make psql ARGS='-f demo/inserts.sql'   more sample rows",
    'npm start                the service in a terminal of its own; rows arrive while it runs',
    `make generate RATE=50     changes at a steady rate; ${page ?? 'http://127.0.0.1:3000'}/dashboard shows them while the service runs`,
    'make status              what is up, on which port, with which log',
    'make down                stop everything and keep the data; make clean removes them too',
    '',
    'Ask ClickHouse what is there now, and what happened:',
    ask(`SELECT * FROM ${CH_DATABASE}.my_table ORDER BY id FORMAT PrettyCompact`),
    ask(
      `SELECT ts, op, before, after FROM ${CH_DATABASE}_cdc.changes WHERE table = 'my_table' ORDER BY ts DESC LIMIT 5 FORMAT Vertical`,
    ),
  ].join('\n');
}
