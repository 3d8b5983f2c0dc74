import { type Element, TAG } from './read.ts';

const UTC = /^(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})Z$/;
const GENERALIZED = /^(\d{4})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})Z$/;

/**
 * A time of a certificate in milliseconds since the epoch, in the one form that RFC 5280, section 4.1.2.5 allows; undefined for any other.
 * node:crypto's dates of a malformed time are whatever memory held, found by fuzzing.
 */
export function parseTime(element: Element | undefined): number | undefined {
  if (element?.tag !== TAG.utcTime && element?.tag !== TAG.generalizedTime) return undefined;
  const text = Buffer.from(element.value).toString('latin1');
  const [, digits, ...rest] = (element.tag === TAG.utcTime ? UTC : GENERALIZED).exec(text) ?? [];
  if (digits === undefined) return undefined;
  const year = element.tag === TAG.generalizedTime ? Number(digits) : Number(digits) + (Number(digits) < 50 ? 2000 : 1900);
  const [month = 0, day = 0, hours = 0, minutes = 0, seconds = 0] = rest.map(Number);
  const time = Date.UTC(year, month - 1, day, hours, minutes, seconds);
  // The 31st of February and the like would be another day.
  const same = new Date(time).toISOString().replaceAll(/[-:T]|\.000Z$/g, '');
  return same === `${String(year).padStart(4, '0')}${rest.join('')}` ? time : undefined;
}
