/** Says what form a value has without saying the value: enough to see why its column could not take it. */

const MASK_LENGTH = 48;

/** A JSON text's kind, size and pattern: each letter as `a`, each digit as `9`, signs kept; '' where there is no value. */
export function valueForm(json: string): string {
  const text = json.trim();
  if (text === '') return '';
  if (text.startsWith('"')) return `string of ${text.length - 2} characters: ${mask(text.slice(1, -1))}`;
  if (text.startsWith('{')) return `object of ${text.length} characters`;
  if (text.startsWith('[')) return `array of ${text.length} characters`;
  if (text === 'null') return 'null';
  if (text === 'true' || text === 'false') return 'boolean';
  return `number of ${text.length} characters: ${mask(text)}`;
}

function mask(text: string): string {
  const shown = text.slice(0, MASK_LENGTH).replaceAll(/\p{L}/gu, 'a').replaceAll(/\p{N}/gu, '9');
  const plain = shown.replaceAll(/[^\u0020-\u007e]/g, '?');
  return text.length > MASK_LENGTH ? `${plain}…` : plain;
}
