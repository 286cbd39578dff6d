/** docs/check.md, made from the kinds of findings; run by `npm run docs:check`. */
import { writeFileSync } from 'node:fs';
import type { Kind } from './kind';
import { KINDS } from './kinds';

const HEAD = `# check

<!-- Made by \`npm run docs:check\` from src/check/kinds.ts. Do not edit. -->

\`debezium-clickhouse check\` asks every part that the settings name, changes nothing, and tells what would go wrong: each
finding with where it is, what was found, why it matters, and the command that mends it. Run it before the first start, after
each change of the surroundings, and from time to time.

- \`--json\` prints \`{ok, reached, findings: [{id, severity, place, what, why, mend: {by, run}}]}\`. \`mend.by\` says where \`run\` is
  to be run: \`shell\` (a line \`export NAME=value\` changes a setting; \`kafka-configs.sh\` comes with Kafka), \`psql\` (on the source, as
  the owner of the tables or a superuser), \`clickhouse\`, or \`hand\` where no single command does it. In text the prompt says it.
- An **error** means that the service would not start, or that changes would be lost or altered. A **warning**: it works, with less
  or at a risk. A **notice** is worth knowing; nothing has to be done. Some kinds are worse in some cases than said here.
- The exit code is 0 without errors, 1 with an error, and with \`--fail-on warning\` 1 with a warning too; 2 where the settings are wrong.
- Where it looks, it needs no more rights than the service and the connector: of PostgreSQL the catalogue, of Kafka topics,
  configurations and the group's position, of Kafka Connect the REST interface, of ClickHouse its system tables.
`;

export function checkPage(): string {
  const kinds: [string, Kind][] = Object.entries(KINDS);
  const parts = [...new Set(kinds.map(([, { part }]) => part))];
  const sections = parts.map((part) => {
    const entries = kinds.filter(([, kind]) => kind.part === part);
    return [`## ${part}`, '', ...entries.flatMap(entry)].join('\n');
  });
  return [HEAD, ...sections].join('\n');
}

function entry([id, { severity, why }]: [string, Kind]): string[] {
  return [`### ${id}`, '', `${severity[0]?.toUpperCase() ?? ''}${severity.slice(1)}. ${why}`, ''];
}

if (require.main === module) writeFileSync('docs/check.md', checkPage());
