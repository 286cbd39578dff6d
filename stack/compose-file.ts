/** docker-compose.yml as data, and the images it needs. */
import { parse } from 'yaml';

/** The parts of a service that this project looks at. */
export interface ComposeService {
  readonly image?: string;
  readonly build?: { readonly dockerfile?: string };
  readonly profiles?: readonly string[];
  readonly ports?: readonly unknown[];
  readonly volumes?: readonly string[];
  readonly healthcheck?: unknown;
  readonly restart?: string;
  readonly mem_limit?: string;
}

export interface ComposeFile {
  readonly services: Readonly<Record<string, ComposeService>>;
  readonly volumes?: Readonly<Record<string, unknown>>;
}

/** Reads the file, anchors and merges resolved. Throws where it is not YAML. */
export function parseCompose(text: string): ComposeFile {
  return parse(text, { merge: true }) as ComposeFile;
}

/** The services that start with these profiles; one without a profile always does. */
export function servicesOf(file: ComposeFile, profiles: readonly string[]): readonly ComposeService[] {
  return Object.values(file.services).filter(
    ({ profiles: own = [] }) => own.length === 0 || own.some((profile) => profiles.includes(profile)),
  );
}

/** The images that a Dockerfile builds on. */
export function baseImages(dockerfile: string): readonly string[] {
  return [...dockerfile.matchAll(/^FROM\s+(\S+)/gm)].flatMap(([, image]) => (image === undefined ? [] : [image]));
}
