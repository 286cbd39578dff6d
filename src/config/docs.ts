/** docs/configuration.md, made from the settings; run by `npm run docs:configuration`. */
import { writeFileSync } from 'node:fs';
import type { Setting } from './forms';
import { SETTING_NAMES, SETTINGS, type SettingName } from './settings';

const HEAD = `# Configuration

<!-- Made by \`npm run docs:configuration\` from src/config/settings.ts. Do not edit. -->

Every setting has one name. It is read from, the later wins:

1. its default,
2. the local stack's state file (\`.stack/state.json\`), while there is one: \`make up\` writes the addresses there,
3. a JSON file that \`CONFIG_FILE\` names: \`{"KAFKA_BROKERS": "kafka:9092", "BLOCK_ROWS": 20000}\`,
4. \`.env\` in the folder where the command runs,
5. the environment,
6. the command line: \`--kafka-brokers\` for \`KAFKA_BROKERS\`; passwords cannot be given there, because others would see them.

**Secrets from files.** Every setting that is a secret, or whose URL may hold one, is also read from a file: \`CH_PASSWORD_FILE\`
names the file that holds CH_PASSWORD, as Docker and Kubernetes mount secrets. One line break at its end is not part of the secret.
Setting both in one place is an error.

An empty value counts as not set. The parts of a URL (\`PG_HOST\`, \`CH_PASSWORD\`, …) replace what the URL says; a URL
set in a later place hides parts set in an earlier one. A wrong value ends the command with exit code 2; the message names
the setting, where it was read, its form and an example, for all wrong settings at once.
`;

export function configurationPage(): string {
  const groups = [...new Set(SETTING_NAMES.map((name) => SETTINGS[name].group))];
  return [
    HEAD,
    ...groups.map((group) =>
      section(
        group,
        SETTING_NAMES.filter((name) => SETTINGS[name].group === group),
      ),
    ),
  ].join('\n');
}

function section(group: string, names: readonly SettingName[]): string {
  return [`## ${group}`, '', ...names.flatMap(entry)].join('\n');
}

function entry(name: SettingName): string[] {
  const setting: Setting<unknown> = SETTINGS[name];
  const secret = setting.sensitive === undefined ? '' : ` Never printed. Also as \`${name}_FILE\`.`;
  return [
    `### ${name}`,
    '',
    `${setting.doc}${secret}`,
    '',
    `- Form: ${setting.form.says.replaceAll('*', '\\*')}.`,
    `- Default: ${setting.default === '' ? 'not set' : `\`${setting.default}\``}.`,
    `- Example: \`${name}=${setting.example}\``,
    '',
  ];
}

if (require.main === module) writeFileSync('docs/configuration.md', configurationPage());
