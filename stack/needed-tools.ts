/** What the local stack needs of the machine: Linux x64, Java, Maven; each absence is explained with its remedy. */
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { ServiceError } from '../src/errors';
import { runToEnd } from './run-to-end';

const OLDEST_JAVA = 17;

/** Throws STACK_FAILED on a platform for which there are no servers on npm. */
export function requirePlatform(platform: string, arch: string): void {
  if (platform === 'linux' && arch === 'x64') return;
  throw new ServiceError('STACK_FAILED', `the local stack runs on Linux x64 only; this is ${platform} ${arch}`, {
    hint: 'Install and start Docker, then: make up STACK=docker',
  });
}

/** Path of a Java that is new enough. Throws STACK_FAILED that says how to install one. */
export async function requireJava(environment: NodeJS.ProcessEnv = process.env): Promise<string> {
  const home = environment['JAVA_HOME'];
  const ofHome = home === undefined || home === '' ? null : executable(join(home, 'bin', 'java'));
  const java = ofHome ?? findInPath('java', environment);
  if (java === null) throw noJava('Java was not found');
  const { output } = await runToEnd({ file: java, args: ['-version'] });
  const version = javaMajor(output);
  if (version === null) throw noJava(`${java} does not run`);
  if (version < OLDEST_JAVA) throw noJava(`${java} is Java ${version}`);
  return java;
}

/** Path of Maven. Throws STACK_FAILED that says what it is for and how to install it. */
export function requireMaven(environment: NodeJS.ProcessEnv = process.env): string {
  const maven = findInPath('mvn', environment);
  if (maven !== null) return maven;
  throw new ServiceError(
    'STACK_FAILED',
    'Maven (mvn) was not found; it downloads Kafka, Kafka Connect and Debezium from Maven Central, once',
    { hint: 'Debian and Ubuntu: apt-get install maven. Or use Docker: make up STACK=docker' },
  );
}

/** The major version in what `java -version` prints (`1.8.0_402` is 8), or null. */
export function javaMajor(printed: string): number | null {
  const match = /version "(\d+)(?:\.(\d+))?/.exec(printed);
  if (match === null) return null;
  const first = Number(match[1]);
  return first === 1 ? Number(match[2] ?? 1) : first;
}

/** Where a command is, or null. */
export function findInPath(command: string, environment: NodeJS.ProcessEnv = process.env): string | null {
  for (const folder of (environment['PATH'] ?? '').split(delimiter)) {
    const found = folder === '' ? null : executable(join(folder, command));
    if (found !== null) return found;
  }
  return null;
}

function executable(file: string): string | null {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile() ? file : null;
  } catch {
    return null;
  }
}

function noJava(what: string): ServiceError {
  return new ServiceError('STACK_FAILED', `${what}; Kafka and Kafka Connect need Java ${OLDEST_JAVA} or later`, {
    hint: 'Debian and Ubuntu: apt-get install openjdk-17-jre-headless. Or use Docker: make up STACK=docker',
  });
}
