/** The settings as options of a command: one `--kafka-brokers` for each `KAFKA_BROKERS`, made from the schema. */
import { Option, type Command } from 'commander';
import type { Setting } from '../config/forms';
import type { SettingFlags } from '../config';
import {
  SECRET_FILE_NAMES,
  SETTING_NAMES,
  SETTINGS,
  settingOfSecretFile,
  type SecretFileName,
  type SettingName,
} from '../config/settings';

/** `--kafka-brokers` for KAFKA_BROKERS. */
export function flagName(name: SettingName | SecretFileName): string {
  return `--${name.toLowerCase().replaceAll('_', '-')}`;
}

/** Secrets are no options: the list of processes shows them to everybody on the machine. */
export function addSettings(command: Command): Command {
  for (const name of SETTING_NAMES) {
    const setting: Setting<unknown> = SETTINGS[name];
    const option = new Option(`${flagName(name)} <value>`, settingHelp(name, setting));
    if (setting.sensitive !== 'secret') command.addOption(option.helpGroup(`${setting.group} settings:`));
  }
  for (const name of SECRET_FILE_NAMES) {
    const of = settingOfSecretFile(name);
    if (of !== null && (SETTINGS[of] as Setting<unknown>).sensitive === 'secret') {
      const option = new Option(`${flagName(name)} <path>`, `A file that holds ${of}.`);
      command.addOption(option.helpGroup(`${SETTINGS[of].group} settings:`));
    }
  }
  const secrets = SETTING_NAMES.filter((name) => (SETTINGS[name] as Setting<unknown>).sensitive === 'secret');
  return command.addHelpText(
    'after',
    `\nEach setting is also read from the environment, .env, a JSON file (CONFIG_FILE) and the local stack's state,\nunder the name in capitals; ${secrets.join(', ')} only from there, or from a file\nnamed under the same name with _FILE. docs/configuration.md tells more.`,
  );
}

/** What was given on the command line, by setting. */
export function settingFlags(command: Command): SettingFlags {
  const flags: Partial<Record<SettingName | SecretFileName, string>> = {};
  const given = command.opts<Record<string, unknown>>();
  for (const name of [...SETTING_NAMES, ...SECRET_FILE_NAMES]) {
    const value = given[new Option(`${flagName(name)} <value>`).attributeName()];
    if (typeof value === 'string') flags[name] = value;
  }
  return flags;
}

function settingHelp(name: SettingName, setting: Setting<unknown>): string {
  const byDefault = setting.default === '' ? 'not set' : `default: ${setting.default}`;
  return `${setting.doc} ${name}, ${byDefault}.`;
}
