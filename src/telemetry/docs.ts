/** docs/events.md, made from the events and their words; run by `npm run docs:events`. */
import { writeFileSync } from 'node:fs';
import { EVENT_GUIDE, type EventGuide } from '../event-guide';
import { describe } from '../event-words';

const HEAD = `# What the log says

<!-- Made by \`npm run docs:events\` from src/event-guide.ts and src/event-words.ts. Do not edit. -->

Each line of the log of \`run\` that tells of something that happened has a field \`event\`: one of the names below. \`LOG_FORMAT=json\`
writes it as \`"event":"…"\`, at a terminal it stands behind the message as \`event=…\`. \`LOG_LEVEL=debug\` shows those of the level
debug, too. A line holds no value of a row and no secret; \`code\` is explained in [errors.md](errors.md). The examples are what
stands in the log, their numbers and names invented.
`;

export function eventsPage(): string {
  const guides: [string, EventGuide][] = Object.entries(EVENT_GUIDE);
  return [HEAD, ...guides.map(section)].join('\n');
}

function section([tag, { levels, meaning, remedy, example }]: [string, EventGuide]): string {
  const { message, fields } = describe(example);
  const names = Object.keys(fields).filter((name) => name !== 'event');
  return [
    `## ${tag}`,
    '',
    `*${levels.join(' or ')}*. ${meaning}`,
    '',
    `    ${message}`,
    '',
    ...(names.length === 0 ? [] : [`Fields: ${names.map((name) => `\`${name}\``).join(', ')}.`, '']),
    `**To do**: ${remedy ?? 'nothing.'}`,
    '',
  ].join('\n');
}

if (require.main === module) writeFileSync('docs/events.md', eventsPage());
