/** The setting UNAVAILABLE_VALUE as it stands in records. */
import { createHash } from 'node:crypto';
import { placeholderForms, type PlaceholderForms } from './debezium/withheld';

export function placeholderOf(setting: string): PlaceholderForms {
  return placeholderForms(setting, (bytes) => createHash('md5').update(bytes).digest());
}
