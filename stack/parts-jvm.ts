/** The parts that run on Java: Kafka, Kafka Connect with Debezium, and the registry of Avro schemas. */
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ServiceError } from '../src/errors';
import { downloadFolder, pinnedVersion } from './downloads';
import { requireJava } from './needed-tools';
import { answers, dataFolder, fillTemplate, httpGet, prepareWith } from './part';
import type { Part, PartContext } from './part';
import type { Launch } from './process-identity';
import { linkWithManifest } from './service-manifest';

// One collector thread and one compiler are what two cores have room for; it also halves the time to start.
const JVM_FLAGS = ['-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Djava.awt.headless=true'];

/** ApiVersions v0, correlation id 1, no client id: the one request that every broker answers in every version. */
const API_VERSIONS = Uint8Array.of(0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 1, 0xff, 0xff);

export const kafkaPart: Part = {
  name: 'kafka',
  ports: ['kafka', 'kafkaController'],
  downloads: () => ['kafka'],
  after: [],
  variant: () => '',
  stopSignals: ['SIGTERM', 'SIGKILL'],
  async prepare(context) {
    const java = await requireJava();
    const data = dataFolder(context, 'kafka');
    if (!existsSync(data)) await format(context, java, data);
    const config = writeKafkaConfig(context, 'kafka', data);
    return kafkaJvm(context, java, { heap: '512m', main: ['kafka.Kafka', config] });
  },
  async probe(context) {
    return (await answers(context.ports.kafka, API_VERSIONS)) ? pinnedVersion(context.root, 'kafka') : null;
  },
};

export const connectPart: Part = {
  name: 'connect',
  ports: ['connect'],
  downloads: (avro) => ['kafka', 'debezium', ...(avro ? (['avro-converter'] as const) : [])],
  after: ['kafka'],
  variant: (avro) => (avro ? 'avro' : ''),
  stopSignals: ['SIGTERM', 'SIGKILL'],
  async prepare(context) {
    const java = await requireJava();
    const plugins = [downloadFolder(context, 'debezium'), ...(context.avro ? [avroConverter(context)] : [])];
    const config = writeConfig(context, 'connect', {
      template: 'connect/worker.properties',
      values: {
        PORT: String(context.ports.connect),
        KAFKA_PORT: String(context.ports.kafka),
        // In containers the converter has no service file, so there a scan finds it.
        PLUGIN_DISCOVERY: 'service_load',
        PLUGIN_PATH: plugins.join(','),
        EXACTLY_ONCE: context.sendsTwice ? 'disabled' : 'enabled',
      },
    });
    const main = ['org.apache.kafka.connect.cli.ConnectDistributed', config];
    return kafkaJvm(context, java, { heap: '512m', main });
  },
  async probe(context) {
    // The list is answered only once the worker has joined its group and read its configuration.
    const list = await httpGet(`http://127.0.0.1:${context.ports.connect}/connectors`);
    if (list === null) return null;
    return `${pinnedVersion(context.root, 'kafka')}, Debezium ${pinnedVersion(context.root, 'debezium')}`;
  },
};

export const registryPart: Part = {
  name: 'registry',
  ports: ['registry'],
  downloads: () => ['registry'],
  after: [],
  variant: () => '',
  stopSignals: ['SIGTERM', 'SIGKILL'],
  async prepare(context) {
    const java = await requireJava();
    const folder = downloadFolder(context, 'registry');
    const jar = readdirSync(folder).find((file) => file.endsWith('-runner.jar'));
    if (jar === undefined) {
      throw new ServiceError('STACK_FAILED', `${folder} holds no -runner.jar`, {
        hint: 'Remove that folder and run `make up` again: it is downloaded anew.',
      });
    }
    const data = dataFolder(context, 'registry');
    mkdirSync(data, { recursive: true });
    const properties = {
      'quarkus.http.host': '127.0.0.1',
      'quarkus.http.port': String(context.ports.registry),
      // On disk: records in Kafka name their schema by number, so a restart must not hand out the numbers again.
      'quarkus.datasource.jdbc.url': `jdbc:h2:file:${join(data, 'registry')};WRITE_DELAY=0`,
    };
    const options = Object.entries(properties).map(([name, value]) => `-D${name}=${value}`);
    return { file: java, args: ['-Xmx256m', ...JVM_FLAGS, ...options, '-jar', join(folder, jar)], cwd: context.dir };
  },
  async probe(context) {
    const subjects = await httpGet(`http://127.0.0.1:${context.ports.registry}/apis/ccompat/v7/subjects`);
    return subjects === null ? null : pinnedVersion(context.root, 'registry');
  },
};

/** Its jars have no service manifest, so only a scan of all jars of the worker would find it. */
function avroConverter(context: PartContext): string {
  const plugins = join(context.dir, 'config', 'plugins');
  linkWithManifest(join(downloadFolder(context, 'avro-converter'), 'jars'), join(plugins, 'avro-converter'), {
    service: 'org.apache.kafka.connect.storage.Converter',
    implementation: 'io.apicurio.registry.utils.converter.AvroConverter',
  });
  return plugins;
}

/** Formats into a folder beside, then renames: a start that was interrupted leaves nothing half made. */
async function format(context: PartContext, java: string, data: string): Promise<void> {
  const fresh = `${data}.new`;
  rmSync(fresh, { recursive: true, force: true });
  mkdirSync(fresh, { recursive: true });
  const config = writeKafkaConfig(context, 'kafka-format', fresh);
  // Kafka's cluster id is a UUID in base64url; one that starts with a dash would be read as an option.
  const id = `A${randomBytes(16).toString('base64url').slice(1)}`;
  const launch = kafkaJvm(context, java, {
    heap: '128m',
    main: ['kafka.tools.StorageTool', 'format', '-t', id, '-c', config],
  });
  await prepareWith(context, 'formatting the storage of Kafka', launch);
  renameSync(fresh, data);
}

function writeKafkaConfig(context: PartContext, name: string, data: string): string {
  const values = {
    PORT: String(context.ports.kafka),
    CONTROLLER_PORT: String(context.ports.kafkaController),
    DATA_DIR: data,
  };
  return writeConfig(context, name, { template: 'kafka/server.properties', values });
}

function writeConfig(
  context: PartContext,
  name: string,
  source: { readonly template: string; readonly values: Readonly<Record<string, string>> },
): string {
  const folder = join(context.dir, 'config');
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `${name}.properties`);
  writeFileSync(file, fillTemplate(context.root, source.template, source.values));
  return file;
}

function kafkaJvm(
  context: PartContext,
  java: string,
  options: { readonly heap: string; readonly main: readonly string[] },
): Launch {
  const jars = join(downloadFolder(context, 'kafka'), 'jars', '*');
  const logging = `-Dlog4j2.configurationFile=${join(context.root, 'stack', 'log4j2.properties')}`;
  const args = [`-Xmx${options.heap}`, ...JVM_FLAGS, logging, '-cp', jars, ...options.main];
  return { file: java, args, cwd: context.dir };
}
