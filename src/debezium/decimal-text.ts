/** Decimals as text. */

/**
 * Plain digits rounded to a scale, half away from zero, as PostgreSQL casts to numeric(p,s); as they are where they have no
 * more digits after the point than that, or where the text is no plain decimal with a point.
 * @param scale digits after the point, 0 or more
 */
export function roundedDecimal(text: string, scale: number): string {
  const [, sign = '', whole = '', fraction = ''] = /^(-?)(\d+)\.(\d+)$/.exec(text) ?? [];
  if (fraction.length <= scale) return text;
  const up = fraction.charCodeAt(scale) >= 0x35 ? 1n : 0n;
  const digits = String(BigInt(whole + fraction.slice(0, scale)) + up).padStart(scale + 1, '0');
  const point = digits.length - scale;
  const rounded = scale === 0 ? digits : `${digits.slice(0, point)}.${digits.slice(point)}`;
  return /^[0.]*$/.test(rounded) ? rounded : sign + rounded;
}
