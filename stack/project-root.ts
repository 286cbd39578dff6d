/** Finds the repository's root, from the sources and from the compiled files alike. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** The nearest folder above this file that holds `package.json` and `stack/kafka/pom.xml`. */
export function projectRoot(): string {
  for (let folder = __dirname; folder !== dirname(folder); folder = dirname(folder)) {
    if (existsSync(join(folder, 'package.json')) && existsSync(join(folder, 'stack', 'kafka', 'pom.xml')))
      return folder;
  }
  throw new Error(`no package.json above ${__dirname}`);
}
